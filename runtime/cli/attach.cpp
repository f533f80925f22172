// `attach`: the last lines of a run, and what comes, until it is over: then the build's exit code. SIGINT goes to the
// build; SIGQUIT, and what else ends this process, leaves it alone.
#include <signal.h>

#include <iostream>
#include <stdexcept>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/open_store.hpp"
#include "runtime/cli/run_follower.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::cli {

using sandbox::os::format;

namespace {

constexpr std::size_t attach_lines = 20;

struct AttachWords {
    RunWords which;
};

void declare(Options& options, AttachWords& words) {
    declare_run(options, words.which);
}

std::string running_run(const store::Store& store) {
    std::vector<std::string> running;
    for (const std::string& run : run_names(store)) {
        if (holder_of(store, run)) running.push_back(run);
    }
    if (running.empty()) throw std::runtime_error("no build goes on in this store; stagebox log shows the last one");
    if (running.size() == 1) return running.front();
    std::string names;
    for (const std::string& run : running) names += "\n  stagebox attach " + run;
    throw std::runtime_error("more than one build goes on; name one:" + names);
}

int run(const AttachWords& words) {
    const store::Store store = open_store(words.which.store);
    const std::string run = words.which.run.empty() ? running_run(store) : named_run(run_names(store), words.which.run);
    RunFollower follower(store, run);
    follower.skip_to_last(attach_lines);
    if (follower.is_running()) {
        std::cerr << format("run {}: Ctrl-C interrupts the build, Ctrl-\\ leaves it running\n", run);
    }
    sandbox::os::EventLoop loop;
    loop.take_signals({SIGINT, SIGQUIT}, [&](int number) {
        if (number == SIGINT) {
            follower.signal(SIGINT);
        } else {
            follower.leave();
        }
    });
    follower.copy();
    follower.follow(loop);
    if (follower.has_left()) return ExitCode::done;
    return exit_code_of(store, run);
}

}  // namespace

Command attach_command() {
    return make_command<AttachWords>("attach", "Follow a build that goes on; Ctrl-C interrupts it");
}

}  // namespace runtime::cli
