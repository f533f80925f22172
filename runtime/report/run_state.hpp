// What became of a run so far, read from its events (events.hpp). A value and its text; knows neither the store nor
// whether anybody still supervises the run, which the caller says.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/os/json.hpp"

namespace runtime::report {

struct StageProgress {
    std::string name;
    std::string state =
        "waiting";      // "running", "pausing", "held", or as Schedule has it at the end: "built", "failed", ...
    std::string since;  // UTC; empty: since the beginning
    unsigned attempt = 0;
    std::string what;  // why it failed or pauses, or what it waits for; may be empty
};

struct RunState {
    std::string run;
    std::string pipeline;
    std::string file;
    std::string began;
    std::string ended;         // empty: it has not said so
    std::optional<int> exit;   // the build's exit code
    bool is_stopping = false;  // it was told to end
    std::optional<int> pid;    // of its supervisor; nothing: there is none any more
    std::vector<StageProgress> stages;

    // "running", "ending", "done", "failed", "interrupted", "killed"
    [[nodiscard]] std::string_view word() const;
};

// Nothing where the run never began. A last line that is not whole yet is not looked at. Throws sandbox::os::Error for
// events of a newer version.
std::optional<RunState> run_state(const std::string& run, std::string_view events);

// One line of the list of runs, and below it, while the run goes on, the stages that are at work.
std::string to_line(const RunState& state);
// All of it, each stage on a line.
std::string to_text(const RunState& state);
sandbox::os::Json to_json(const RunState& state);

}  // namespace runtime::report
