// One stage on its way from "its key is not in the store" to what a record can name: staging, jail, sealing, commit.
// Everything happens in callbacks of the event loop; `done` is called once, and must not destroy the run.
// Knows nothing of other stages.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "runtime/report/output.hpp"
#include "runtime/store/keeper.hpp"
#include "runtime/store/store.hpp"
#include "runtime/supervisor/denial_watch.hpp"
#include "runtime/supervisor/failure.hpp"
#include "runtime/supervisor/limit_watch.hpp"
#include "runtime/supervisor/resolve.hpp"
#include "runtime/supervisor/user_network.hpp"
#include "sandbox/launch.hpp"

namespace runtime::supervisor {

struct Built {
    store::Record record;
};

using StageEnd = std::variant<Built, Failure>;

// What a run needs from its build; everything outlives it.
struct StageContext {
    sandbox::os::EventLoop& loop;
    store::Store& store;
    std::function<store::Keeper&(sandbox::IdMode)> keeper;
    std::function<const sandbox::IdMap&(sandbox::IdMode)> ids;
    Profiles& profiles;
    report::Console& console;
    std::string pipeline;  // name
    std::string run;       // place of the run in the store
};

class StageRun {
  public:
    using Done = std::function<void(StageEnd)>;

    StageRun(StageContext& context, const stages::Stage& stage, Resolved resolved, Done done);
    ~StageRun();
    StageRun(const StageRun&) = delete;
    StageRun& operator=(const StageRun&) = delete;

    void start();
    // Asks the payload to end, and kills it after `grace`. A stage that has not come so far, or is past it, ends too.
    void stop();
    // Ends every process of the stage at once.
    void kill();

    [[nodiscard]] const stages::Stage& stage() const noexcept { return stage_; }
    [[nodiscard]] const Resolved& resolved() const noexcept { return resolved_; }
    [[nodiscard]] const std::deque<std::string>& last_lines() const { return output_->last_lines(); }
    // What the filter denied its command; whole when the jail has ended.
    [[nodiscard]] const DenialLog& denials() const noexcept { return denials_; }
    [[nodiscard]] std::string log_path() const;

  private:
    using Step = void (StageRun::*)();
    // A callback for the keeper: goes on with `next`, or fails the stage with the keeper's reason.
    store::Keeper::Answer then(Step next, FailureClass kind);

    void import_inputs();
    void launch();
    void jail_ended();
    void judge(const sandbox::Outcome& outcome);
    void seal();
    [[nodiscard]] store::Owners owners() const;
    void seal_layer();
    void take_outputs();
    void commit();
    void fail(Failure failure);
    void keep_failed(const Failure& failure);

    StageContext& context_;
    const stages::Stage& stage_;
    Resolved resolved_;
    Done done_;
    store::Keeper& keeper_;
    std::unique_ptr<report::StageOutput> output_;
    std::optional<store::Staging> staging_;
    UserNetwork network_;
    std::string network_lost_;  // why, where it was before the jail's end
    std::optional<sandbox::Jail> jail_;
    std::unique_ptr<DenialWatch> watch_;
    DenialLog denials_;
    stages::kinds::Lowered lowered_;
    store::Record record_;
    std::chrono::steady_clock::time_point started_;
    std::optional<LimitWatch> limits_;
    sandbox::os::EventLoop::Timer grace_ = 0;
    std::size_t next_import_ = 0;
    std::size_t next_output_ = 0;
    std::optional<Failure> over_limit_;
    bool is_stopped_ = false;
    // Callbacks that come after the object is gone find this empty.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// UTC, ISO 8601.
std::string now_text();

}  // namespace runtime::supervisor
