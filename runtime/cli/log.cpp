// `log`: what a run has shown, so far or until it is over. `log --usage`: what stages have used.
#include <algorithm>
#include <stdexcept>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/open_store.hpp"
#include "runtime/cli/run_follower.hpp"
#include "runtime/cli/usage.hpp"

namespace runtime::cli {
namespace {

enum class LogMode : unsigned char { once, follow, usage };

struct LogWords {
    RunWords which;
    LogMode mode = LogMode::once;
    OutputFormat format = OutputFormat::text;
};

void declare(Options& options, LogWords& words) {
    declare_run(options, words.which, "A run's name, or how it begins; with --usage, a stage");
    options.push_back({.names = "-f,--follow",
                       .into = sets(words.mode, LogMode::follow),
                       .doc = "Until the build is over; ends with its exit code"});
    options.push_back({.names = "--usage",
                       .into = sets(words.mode, LogMode::usage),
                       .doc = "What stages have used: time, CPU, memory, disk and network",
                       .excludes = "--follow"});
    declare_json(options, words.format, "--usage");
}

std::string last_run(const store::Store& store) {
    std::vector<std::string> runs = run_names(store);
    std::ranges::reverse(runs);
    for (const std::string& run : runs) {
        if (read_state(store, run)) return run;
    }
    throw std::runtime_error("no build has run in this store");
}

// Once: 0. To the end: the build's exit code.
int run(const LogWords& words) {
    if (words.mode == LogMode::usage) {
        return show_usage({.store = words.which.store, .stage = words.which.run, .format = words.format});
    }
    const store::Store store = open_store(words.which.store);
    const std::string run = words.which.run.empty() ? last_run(store) : named_run(run_names(store), words.which.run);
    RunFollower follower(store, run);
    follower.copy();
    if (words.mode == LogMode::once) return ExitCode::done;
    sandbox::os::EventLoop loop;
    follower.follow(loop);
    return exit_code_of(store, run);
}

}  // namespace

Command log_command() {
    return make_command<LogWords>("log", "What a build has shown");
}

}  // namespace runtime::cli
