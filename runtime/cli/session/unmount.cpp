// `session unmount`: takes away what other scripts left mounted in a directory.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <stdexcept>

#include "runtime/cli/commands.hpp"
#include "runtime/host/state/difference.hpp"
#include "runtime/host/unmount/act.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/problem.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace runtime::cli {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

enum class UnmountAct : unsigned char { on_terminal, always, never };

struct UnmountWords {
    std::string directory;
    std::string max_wait = "10s";
    host::UnmountMode mode = host::UnmountMode::when_free;
    UnmountAct act = UnmountAct::on_terminal;  // where standard input and output are one
    OutputFormat format = OutputFormat::text;
};

void declare(Options& options, UnmountWords& words) {
    options.push_back({.names = "DIR", .into = &words.directory, .doc = "The directory", .is_required = true});
    options.push_back({.names = "--max-mount-wait",
                       .into = &words.max_wait,
                       .doc = "How long to wait for something that is in use",
                       .type = "TIME",
                       .shown_default = words.max_wait});
    options.push_back({.names = "--lazy",
                       .into = sets(words.mode, host::UnmountMode::lazy),
                       .doc = "Do not wait: who uses it keeps it, and nobody else sees it any more"});
    options.push_back({.names = "-y,--yes",
                       .into = sets(words.act, UnmountAct::always),
                       .doc = "Unmount also where there is no terminal"});
    options.push_back({.names = "-n,--dry-run",
                       .into = sets(words.act, UnmountAct::never),
                       .doc = "Only tell what would be done",
                       .excludes = "--yes"});
    declare_json(options, words.format);
}

// Without links. What cannot be reached any more, since another mount hides it or its server is dead, is found in the
// mount table by what was typed.
std::string directory_of(const std::string& named, const sandbox::os::MountTable& mounts) {
    try {
        return sandbox::os::real_path(named);
    } catch (const sandbox::os::SysError& error) {
        std::string path = named.starts_with('/') ? named : sandbox::os::real_path(".") + "/" + named;
        while (path.size() > 1 && path.ends_with('/')) path.pop_back();
        if (!host::mounts_in(mounts, path).empty()) return path;
        throw std::invalid_argument(format("{}: {}", named, error.message()));
    }
}

std::chrono::milliseconds wait_of(const std::string& text) {
    if (text == "0" || text == "0s") return {};
    sandbox::Limits limits;
    try {
        sandbox::set_limit(limits, "time", text);
    } catch (const std::invalid_argument&) {
        throw std::invalid_argument(format(
            "--max-mount-wait cannot be '{}': it is a number and s, m or h, as \"10s\"; \"0s\" does not wait", text));
    }
    return *limits.time;
}

host::UnmountPlan make_unmount_plan(const std::string& named) {
    const sandbox::os::HostFiles files;
    const auto mounts = sandbox::os::read_mounts(files);
    const auto loops = host::read_loops(files);
    const auto processes = host::read_processes(files);
    const std::string directory = directory_of(named, mounts);
    const auto tree = host::mounts_in(mounts, directory);
    std::set<std::string> names;
    for (const host::LoopDevice& loop : host::loops_in(loops, tree, directory)) names.insert(loop.name);
    const host::Holds holds = host::read_holds(files, processes, tree, names);
    return host::plan_unmount(directory, {mounts, loops, processes}, holds, host::read_caller(files));
}

void print(const host::Step& step) {
    std::printf("%s\n", host::to_text(step).c_str());
    std::fflush(stdout);
}

// Without what only waits for those.
void print_waiting(const host::Step& step) {
    if (!step.problem.what.empty()) return;
    std::printf("waiting: ");
    print(step);
}

// What was not told of while it was done.
void print_rest(const host::UnmountPlan& plan, UnmountAct act) {
    for (const host::Step& step : plan.steps) {
        if (step.state != host::StepState::done) print(step);
    }
    const auto left =
        std::ranges::count_if(plan.steps, [](const host::Step& step) { return step.state != host::StepState::done; });
    if (plan.unseen != 0 && left != 0) {
        std::printf("note: what %zu %s not yours to see\n", plan.unseen,
                    plan.unseen == 1 ? "process holds is" : "processes hold is");
    }
    if (act == UnmountAct::never) {
        const std::string help = sandbox::os::help_line(host::unmount_command(plan.directory, "--yes"));
        std::printf("a dry run: nothing was changed%s\n", help.c_str());
    } else if (left != 0) {
        std::printf("%td left\n", left);
    }
}

// 0 where nothing is left, or nothing was to be done; 1 where something stays.
int run(const UnmountWords& words) {
    host::UnmountHow how{.mode = words.mode, .longest_wait = wait_of(words.max_wait), .done = {}, .waits = {}};
    UnmountAct act = words.act;
    if (act == UnmountAct::on_terminal) {
        act = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 ? UnmountAct::always : UnmountAct::never;
    }
    host::UnmountPlan plan = make_unmount_plan(words.directory);
    const bool is_text = words.format == OutputFormat::text;
    if (is_text) {
        how.done = print;
        how.waits = print_waiting;
    }
    if (act == UnmountAct::always) host::carry_out(sandbox::os::HostFiles(), plan, how);
    if (!is_text) {
        Json all = host::to_json(plan);
        all["dry_run"] = act == UnmountAct::never;
        std::printf("%s\n", all.dump(2).c_str());
    } else if (plan.steps.empty()) {
        std::printf("nothing is mounted at or below %s, and no loop device has its file there\n",
                    host::plain(plan.directory).c_str());
    } else {
        print_rest(plan, act);
    }
    return act == UnmountAct::never || host::is_all_done(plan) ? ExitCode::done : ExitCode::answer_is_no;
}

}  // namespace

Command session_unmount_command() {
    return make_command<UnmountWords>("session unmount", "Take away what other scripts left mounted in a directory");
}

}  // namespace runtime::cli
