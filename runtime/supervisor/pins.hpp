// What stagebox.lock notes of a build's network stages: which result was theirs. A note confirms a result and makes
// none: it is no record, and nothing that it names is taken for it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/noted_result.hpp"
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
    Pins(const stages::Pipeline& pipeline, const std::vector<std::string>& refresh, engine::LockUse use,
         store::Store& store, report::Console& console);

    // The stage's result in the store. Nothing where there is none, or where it is asked for anew.
    std::optional<store::Record> look_up(const stages::Stage& stage, const engine::Resolved& resolved);
    // Why the stage has no result, whatever its command would make: nothing is noted for it, or the store has another
    // one than what is noted. Only of a build that is locked.
    [[nodiscard]] std::optional<engine::Failure> refusal(const stages::Stage& stage, const std::string& key) const;
    // What a result of the stage is held against; nothing for a stage without a network or one that is asked for anew.
    [[nodiscard]] std::optional<engine::NotedResult> noted(const stages::Stage& stage, const std::string& key) const;
    // Notes the result of a stage with a network, where nothing is noted for its key or it was asked for anew; says so
    // where another one is noted. Of another stage, nothing. A file that cannot be written is a warning.
    void take(const stages::Stage& stage, const store::Record& record);

  private:
    [[nodiscard]] bool is_refreshed(const stages::Stage& stage) const;
    [[nodiscard]] const Pin* find(const stages::Stage& stage, const std::string& key) const;
    void note(const stages::Stage& stage, const store::Record& record);

    const std::vector<std::string>& refresh_;
    engine::LockUse use_;
    store::Store& store_;
    report::Console& console_;
    LockFile file_;
};

}  // namespace runtime::supervisor
