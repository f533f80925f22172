#include "runtime/cli/runs.hpp"

#include <signal.h>

#include <iostream>
#include <stdexcept>

#include "runtime/report/exit_codes.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::cli {

using report::RunState;
using sandbox::os::format;

namespace {

std::invalid_argument no_such_run(const std::string& name, const std::vector<std::string>& alike) {
    if (alike.empty()) return std::invalid_argument(format("there is no run {}; stagebox status lists them", name));
    return std::invalid_argument(format("more than one run begins with {}: {}", name, sandbox::os::join(alike)));
}

}  // namespace

void declare_run(Options& options, RunWords& words, const char* doc) {
    options.push_back({.names = "RUN", .into = &words.run, .doc = doc});
    declare_store(options, words.store);
}

// Names begin with the time.
std::vector<std::string> run_names(const store::Store& store) {
    return sandbox::os::list_directory(sandbox::os::open_directory(store.directory(), "runs").get());
}

std::string named_run(const std::vector<std::string>& names, const std::string& name) {
    std::vector<std::string> alike;
    for (const std::string& run : names) {
        if (run == name) return run;
        if (run.starts_with(name)) alike.push_back(run);
    }
    if (alike.size() != 1) throw no_such_run(name, alike);
    return alike.front();
}

Holder holder_of(const store::Store& store, const std::string& run) {
    return store::find_holder(store.directory(), "runs/" + run);
}

std::optional<RunState> read_state(const store::Store& store, const std::string& run, const Holder& holder) {
    const auto events = sandbox::os::read_file_if_exists(store.directory(), "runs/" + run + "/events.jsonl");
    if (!events) return std::nullopt;
    std::optional<RunState> state = report::run_state(run, *events);
    if (state && holder) state->pid = holder->pid;
    return state;
}

std::optional<RunState> read_state(const store::Store& store, const std::string& run) {
    return read_state(store, run, holder_of(store, run));
}

int exit_code_of(const store::Store& store, const std::string& run) {
    const std::optional<RunState> state = read_state(store, run);
    if (state && state->exit) return *state->exit;
    std::cerr << format("run {} was killed: it has no end\n", run);
    return report::ExitCode::by_signal(SIGKILL);
}

}  // namespace runtime::cli
