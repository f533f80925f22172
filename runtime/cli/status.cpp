// `status`: all runs that go on and the last ten others, or everything of one.
#include <algorithm>
#include <iostream>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/open_store.hpp"
#include "runtime/cli/runs.hpp"

namespace runtime::cli {

using report::RunState;
using sandbox::os::Json;

namespace {

constexpr std::size_t most_past_runs = 10;

struct StatusWords {
    RunWords which;
    OutputFormat format = OutputFormat::text;
};

void declare(Options& options, StatusWords& words) {
    declare_run(options, words.which);
    declare_json(options, words.format);
}

// A run that this program cannot read is told, and hides no other.
std::optional<RunState> readable_state(const store::Store& store, const std::string& run, const Holder& holder) {
    try {
        return read_state(store, run, holder);
    } catch (const sandbox::os::Error& error) {
        std::cerr << error.what() << "\n";
        return std::nullopt;
    }
}

// The last ones, and then all that go on: at the end, where the eye is.
std::vector<RunState> shown_runs(const store::Store& store) {
    std::vector<RunState> past;
    std::vector<RunState> running;
    std::vector<std::string> runs = run_names(store);
    std::ranges::reverse(runs);
    for (const std::string& run : runs) {
        const Holder holder = holder_of(store, run);
        if (!holder && past.size() == most_past_runs) continue;
        std::optional<RunState> state = readable_state(store, run, holder);
        if (state) (holder ? running : past).push_back(std::move(*state));
    }
    std::ranges::reverse(past);
    past.insert(past.end(), std::make_move_iterator(running.rbegin()), std::make_move_iterator(running.rend()));
    return past;
}

int run(const StatusWords& words) {
    const store::Store store = open_store(words.which.store);
    if (!words.which.run.empty()) {
        const std::string run = named_run(run_names(store), words.which.run);
        const std::optional<RunState> state = read_state(store, run);
        if (!state) throw std::runtime_error(run + " never began: its pipeline was not right");
        std::cout << (words.format == OutputFormat::json ? to_json(*state).dump(2) + "\n" : to_text(*state));
        return ExitCode::done;
    }
    const std::vector<RunState> shown = shown_runs(store);
    if (words.format == OutputFormat::json) {
        Json list = Json::array();
        for (const RunState& state : shown) list.push_back(to_json(state));
        std::cout << list.dump(2) << "\n";
    } else {
        for (const RunState& state : shown) std::cout << to_line(state);
        if (shown.empty()) std::cout << "no build has run in this store\n";
    }
    return ExitCode::done;
}

}  // namespace

Command status_command() {
    return make_command<StatusWords>("status", "The builds that go on, and the last ones");
}

}  // namespace runtime::cli
