// What stagebox.lock says of a build's network stages: which result is theirs, and whether the network gave another
// one.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/resolve_stage.hpp"
#include "runtime/engine/stage_failure.hpp"
#include "runtime/report/console.hpp"
#include "runtime/store/store.hpp"
#include "runtime/supervisor/lock_file.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace runtime::supervisor {

class Pins {
  public:
    // `refresh`: stages whose result is asked for anew. Borrows all. Throws sandbox::ConfigError for a wrong file.
    Pins(const stages::Pipeline& pipeline, const std::vector<std::string>& refresh, store::Store& store,
         report::Console& console);

    // The stage's result in the store: what the pin names, whatever the store last recorded for the key; where there is
    // no pin, the record. Nothing where there is none, or where it is asked for anew. `run`: for a record that is
    // written anew.
    std::optional<store::Record> look_up(const stages::Stage& stage, const engine::Resolved& resolved,
                                         const std::string& run);
    // Why a new result cannot be taken, where the pin says something else.
    [[nodiscard]] std::optional<engine::Failure> check(const stages::Stage& stage, const store::Record& record) const;
    // Pins the result of a stage with a network; of another, nothing. A file that cannot be written is a warning.
    void pin(const stages::Stage& stage, const store::Record& record);

  private:
    [[nodiscard]] bool is_refreshed(const stages::Stage& stage) const;
    [[nodiscard]] const Pin* find(const stages::Stage& stage, const std::string& key) const;

    const stages::Pipeline& pipeline_;
    const std::vector<std::string>& refresh_;
    store::Store& store_;
    report::Console& console_;
    LockFile file_;
};

}  // namespace runtime::supervisor
