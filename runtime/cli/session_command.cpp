#include "runtime/cli/session_command.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "runtime/cli/runs.hpp"
#include "runtime/host/check/free_space.hpp"
#include "runtime/host/check/session_check.hpp"
#include "runtime/host/receipt/receipt.hpp"
#include "runtime/host/services/service_check.hpp"
#include "runtime/host/unmount/act.hpp"
#include "runtime/jail/user_network.hpp"
#include "runtime/store/run_lock.hpp"
#include "runtime/store/store.hpp"
#include "runtime/supervisor/build.hpp"
#include "runtime/supervisor/needs.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace runtime::cli {
namespace {

using sandbox::os::format;
using sandbox::os::Json;
using host::Finding;
using host::Findings;
using host::Severity;

constexpr int something_left = 1;

std::string store_path(const std::string& named) {
    const std::string path = named.empty() ? store::Store::default_path() : named;
    return sandbox::os::exists(AT_FDCWD, path) ? sandbox::os::real_path(path) : path;
}

// What the stages need of this host beyond a jail.
Findings check_pipeline(const stages::Pipeline& pipeline) {
    Findings findings;
    const auto add = [&](Findings more) { findings.insert(findings.end(), more.begin(), more.end()); };
    std::vector<const stages::Stage*> all;
    bool needs_network = false;
    for (const stages::Stage& stage : pipeline.stages) {
        all.push_back(&stage);
        needs_network = needs_network || stage.network == sandbox::Network::user;
        if (stage.script) {
            add(host::check_readable(pipeline.directory + "/" + stage.script->path,
                                        format("stage {}'s script", stage.name)));
        }
        for (const stages::Input& input : stage.inputs) {
            const auto* local = std::get_if<stages::LocalPath>(&input.source);
            if (local == nullptr) continue;
            add(host::check_readable(pipeline.directory + "/" + local->path,
                                        format("stage {}'s input", stage.name)));
        }
    }
    for (const supervisor::MissingNeed& need : supervisor::missing_needs(all)) {
        findings.push_back({Severity::harm, "needs",
                            format("stage {} needs {}, which is not here", need.stage, need.what),
                            "sudo apt-get install " + need.package});
    }
    if (needs_network) {
        const sandbox::Finding network = jail::probe_user_network();
        if (network.status != sandbox::Status::ok) {
            findings.push_back(
                {Severity::harm, "needs", format("network \"user\": {}", network.detail), network.remedy});
        }
    }
    return findings;
}

// What each stage put into the store when it was last built, all together.
double last_size(const stages::Pipeline& pipeline, const store::Store& store) {
    std::map<std::string, store::Record> newest;
    for (const store::Record& record : store.list().records) {
        if (record.pipeline != pipeline.name) continue;
        store::Record& known = newest[record.stage];
        if (known.finished <= record.finished) known = record;
    }
    double bytes = 0;
    for (const auto& [stage, record] : newest) {
        if (record.layer) bytes += static_cast<double>(record.layer->bytes);
        for (const auto& [name, object] : record.artifacts) bytes += static_cast<double>(object.bytes);
    }
    return bytes;
}

Findings left_by_killed_builds(const std::string& store) {
    if (!sandbox::os::exists(AT_FDCWD, store)) return {};
    const sandbox::os::Fd directory = sandbox::os::open_directory(AT_FDCWD, store);
    return host::find_left_services(
        directory.get(), [&](const std::string& run) { return store::is_supervised(directory.get(), run); });
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
        throw std::invalid_argument(format("{}: {}", named, error.code().message()));
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
    const auto mounts = sandbox::os::read_mounts();
    const auto loops = host::read_loops();
    const auto processes = host::read_processes();
    const std::string directory = directory_of(named, mounts);
    const auto tree = host::mounts_in(mounts, directory);
    std::set<std::string> names;
    for (const host::LoopDevice& loop : host::loops_in(loops, tree, directory)) names.insert(loop.name);
    const host::Holds holds = host::read_holds(processes, tree, names);
    return host::plan_unmount(directory, {mounts, loops, processes}, holds, host::read_caller());
}

void print(const host::Step& step) {
    std::printf("%s\n", host::to_text(step).c_str());
    std::fflush(stdout);
}

// Without what only waits for those.
void print_waiting(const host::Step& step) {
    if (!step.why.empty()) return;
    std::printf("waiting: ");
    print(step);
}

// What was not told of while it was done.
void print_rest(const host::UnmountPlan& plan, UnmountAct act) {
    for (const host::Step& step : plan.steps) {
        if (step.state != host::StepState::done) print(step);
    }
    const auto left = std::ranges::count_if(
        plan.steps, [](const host::Step& step) { return step.state != host::StepState::done; });
    if (plan.unseen != 0 && left != 0) {
        std::printf("note: what %zu %s not yours to see\n", plan.unseen,
                    plan.unseen == 1 ? "process holds is" : "processes hold is");
    }
    if (act == UnmountAct::never) {
        std::printf("a dry run: nothing was changed\n  help: %s\n",
                    host::unmount_command(plan.directory, "--yes").c_str());
    } else if (left != 0) {
        std::printf("%td left\n", left);
    }
}

}  // namespace

int session_check(const PipelineOptions& options, OutputFormat output) {
    host::OurPaths ours{.store = store_path(options.store) + "/v1", .project = {}, .output = {}};
    const bool has_file = !options.file.empty() || ::access("stagebox.toml", F_OK) == 0;
    Findings findings;
    double expected = 0;
    if (has_file) {
        const stages::Pipeline pipeline =
            stages::read_pipeline(options.file.empty() ? "stagebox.toml" : options.file, options.vars);
        ours.project = pipeline.directory;
        findings = check_pipeline(pipeline);
        const Findings services = host::check_host_services(pipeline);
        findings.insert(findings.end(), services.begin(), services.end());
        // A check makes nothing: no store either.
        if (sandbox::os::exists(AT_FDCWD, ours.store)) {
            expected = last_size(pipeline, store::Store(store_path(options.store)));
        }
    }
    const auto processes = host::read_processes();
    const auto mounts = sandbox::os::read_mounts();
    const host::Session here = host::classify(host::read_session_facts(processes));
    const Findings host = host::check_host({mounts, processes}, ours, expected);
    findings.insert(findings.end(), host.begin(), host.end());
    const Findings left = left_by_killed_builds(ours.store);
    findings.insert(findings.end(), left.begin(), left.end());
    if (output == OutputFormat::json) {
        std::printf("%s\n", host::to_json(here, findings).dump(2).c_str());
    } else {
        std::printf("%s\n", host::describe(here).c_str());
        for (const Finding& finding : findings) std::printf("%s\n", host::to_text(finding).c_str());
    }
    return host::has_harm(findings) ? supervisor::jail_failed : supervisor::done;
}

int session_unmount(const UnmountOptions& options) {
    host::UnmountHow how{.mode = options.mode, .longest_wait = wait_of(options.max_wait), .done = {}, .waits = {}};
    UnmountAct act = options.act;
    if (act == UnmountAct::on_terminal) {
        act = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 ? UnmountAct::always : UnmountAct::never;
    }
    host::UnmountPlan plan = make_unmount_plan(options.directory);
    const bool is_text = options.format == OutputFormat::text;
    if (is_text) {
        how.done = print;
        how.waits = print_waiting;
    }
    if (act == UnmountAct::always) host::carry_out(plan, how);
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
    return act == UnmountAct::never || host::is_all_done(plan) ? supervisor::done : something_left;
}

int report(const std::string& store_name, const std::string& run, OutputFormat output) {
    const std::string path = store_path(store_name) + "/v1/runs";
    if (!sandbox::os::exists(AT_FDCWD, path)) throw std::runtime_error(format("no run is kept in {}", path));
    const sandbox::os::Fd runs = sandbox::os::open_directory(AT_FDCWD, path);
    // They sort by time; the newest may still run, or was killed.
    std::vector<std::string> names = sandbox::os::list_directory(runs.get());
    if (!run.empty()) names = {named_run(names, run)};
    std::optional<std::string> text;
    while (!names.empty()) {
        text = sandbox::os::read_file_if_exists(runs.get(), names.back() + "/receipt.json");
        if (text) break;
        names.pop_back();
    }
    if (!text)
        throw std::runtime_error(format("{} has no receipt of {}", path, run.empty() ? "any run" : "run " + run));
    const Json kept = Json::parse(*text);
    if (output == OutputFormat::json) {
        std::fputs(text->c_str(), stdout);
    } else {
        std::printf("run %s\n%s", names.back().c_str(), host::to_long_text(kept).c_str());
    }
    return kept.at("clean").get<bool>() ? supervisor::done : supervisor::host_touched;
}

}  // namespace runtime::cli
