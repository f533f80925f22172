// The services of one stage's run: their logs, runs/RUN/STAGE.SERVICE.log, and in the stage's own terms what became of
// them.
#pragma once
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "runtime/engine/stage_failure.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/launch/launch.hpp"
#include "sandbox/services/client.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace runtime::engine {

class StageServices {
  public:
    // Of a stage that has some; `run`: place of the run in the store. Borrows stage and store.
    StageServices(const stages::Stage& stage, const store::Store& store, const std::string& run);

    // Puts them before the command.
    void take_over(sandbox::Spec& spec, sandbox::Command& command) const;
    void started() { runner_.started(); }
    // After the jail's end, in the place of init's word, which is about the service runner. Asked once.
    void look_back(sandbox::Outcome& outcome);

    // Why the stage failed, if it was for a service, or the command could not be executed.
    [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }
    // Of the service that it failed for; empty where there is none.
    [[nodiscard]] const std::deque<std::string>& last_lines() const noexcept { return last_lines_; }

  private:
    [[nodiscard]] Failure failure_of(const sandbox::ServiceFault& fault) const;
    [[nodiscard]] std::string log_place(const sandbox::Service& service) const;
    [[nodiscard]] std::deque<std::string> tail_of(const sandbox::Service& service) const;

    const stages::Stage& stage_;
    const store::Store& store_;
    std::string run_;
    std::vector<sandbox::os::Fd> logs_;
    sandbox::ServiceRunnerClient runner_;
    std::optional<Failure> failure_;
    std::deque<std::string> last_lines_;
};

}  // namespace runtime::engine
