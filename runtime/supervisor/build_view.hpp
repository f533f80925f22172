// A build as it is seen by what tells of it. Everything is the build's own, and only looked at.
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine/stage_attempts.hpp"
#include "runtime/supervisor/admission.hpp"
#include "runtime/supervisor/build_options.hpp"
#include "runtime/supervisor/lock_wait.hpp"
#include "stages/pipeline/schedule.hpp"

namespace runtime::supervisor {

using stages::StageState;

struct StageStatus {
    const stages::Stage* stage = nullptr;
    std::size_t place = 0;                  // in the pipeline
    std::vector<std::string_view> granted;  // how its jail is looser than the strictest
    std::optional<engine::Failure> failure;
    std::string log;                     // of the run, where there was one
    std::deque<std::string> last_lines;  // of its output, where it failed
    unsigned attempts = 0;               // that were begun
    bool is_told = false;                // its event "stage" is written
    std::unique_ptr<engine::StageAttempts> work;
    std::unique_ptr<LockWait> lock_wait;
    std::optional<store::KeyLock> lock;
    store::Record record;
    store::Usage usage;  // of its command, the last time that it ended; of a cached one, the record's
    jail::DenialLog denials;
    std::optional<engine::Resolved> resolved;  // as long as it waits for its start
    Expected expected;                         // from then on
    bool has_said_why = false;                 // it waits
};

struct BuildView {
    const stages::Pipeline& pipeline;
    const BuildOptions& options;
    const stages::Schedule& schedule;
    const std::vector<StageStatus>& stages;  // in the order of the schedule
    int signal = 0;                          // that ended the build; 0: none did
    // What kept the limits and counted the use of its jails; empty where none was started.
    std::string counted_by;

    [[nodiscard]] StageState state(const StageStatus& status) const { return schedule.state(status.place); }
};

}  // namespace runtime::supervisor
