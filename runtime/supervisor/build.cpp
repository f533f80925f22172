#include "runtime/supervisor/build.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/host/check/session.hpp"
#include "runtime/host/check/session_check.hpp"
#include "runtime/host/receipt/watch.hpp"
#include "runtime/host/services/host_services.hpp"
#include "runtime/store/run_lock.hpp"
#include "runtime/supervisor/build_run.hpp"
#include "runtime/supervisor/detach.hpp"
#include "runtime/supervisor/needs.hpp"
#include "runtime/supervisor/stage_report.hpp"
#include "sandbox/config/config.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::supervisor {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

// Of those that this build was to make.
void name_missing_results(const BuildRun& run, const stages::Pipeline& pipeline, report::Console& console) {
    for (const stages::Result& result : pipeline.results) {
        for (const StageStatus& status : run.stages()) {
            if (status.stage->name != result.stage || stages::has_result(run.state(status))) continue;
            console.note(
                format("no result {}: stage {} was {}", result.name, result.stage, name_of(run.state(status))));
        }
    }
}

void print_summary(BuildRun& run, report::Console& console) {
    std::vector<report::StageLine> lines;
    for (const StageStatus& status : run.stages()) lines.push_back(line_of(run, status));
    console.note("\n" + report::summary_table(console, lines));
    if (const std::string words = usage_line(run); !words.empty()) console.note(words);
    for (const StageStatus& status : run.stages()) {
        if (status.failure && status.failure->kind != engine::FailureClass::interrupted) {
            console.note(report::failure_text(console, failed_of(run, status)));
        } else if (run.state(status) == StageState::built && status.denials.total() > 0) {
            console.note(denials_note(status));
        }
    }
}

int exit_code(const BuildRun& run, const host::Receipt& receipt) {
    if (!receipt.clean()) return host_touched;
    if (run.signal() != 0) return run.signal() == SIGINT ? interrupted : 128 + run.signal();
    if (!run.schedule().has_failed()) return done;
    for (const StageStatus& status : run.stages()) {
        const bool counts = run.state(status) == StageState::failed && !run.schedule().is_tolerated(status.place);
        if (counts && status.failure->kind == engine::FailureClass::jail) return jail_failed;
    }
    return stage_failed;
}

std::string absolute(const std::string& path) {
    if (path.empty() || path.starts_with("/")) return path;
    return sandbox::os::real_path(".") + "/" + path;
}

void check_needs(const stages::Pipeline& pipeline, const BuildOptions& options) {
    const stages::Graph graph(pipeline);
    std::vector<const stages::Stage*> wanted;
    for (const std::size_t place : graph.order_for(options.stages)) wanted.push_back(&pipeline.stages[place]);
    const std::vector<MissingNeed> missing = missing_needs(wanted);
    if (!missing.empty()) throw std::runtime_error(to_text(missing));
    for (const std::string& stage : options.refresh) static_cast<void>(graph.place_of(stage));
}

// Says what somebody should know before the stages run, and lets none run where that would do harm.
void check_session(const host::HostState& host, const stages::Pipeline& pipeline, const BuildOptions& options,
                   const store::Store& store, report::Console& console) {
    const host::OurPaths ours{.store = store.path(), .project = pipeline.directory, .output = absolute(options.output)};
    std::string harm;
    for (const host::Finding& finding : host::check_host({host.mounts, host.processes}, ours)) {
        const std::string text = host::to_text(finding);
        if (finding.severity == host::Severity::warning) console.note(text);
        if (finding.severity == host::Severity::harm) harm += (harm.empty() ? "" : "\n") + text;
    }
    if (!harm.empty()) throw std::runtime_error("the build does not start, it would do harm here\n" + harm);
}

// What went wrong, empty where nothing did: the summary and the receipt are due all the same.
std::string export_results(BuildRun& run, const BuildOptions& options) {
    if (options.output.empty() || run.signal() != 0) return {};
    try {
        run.export_results(options.output);
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

void print_results(const BuildRun& run, const store::Store& store, report::Console& console) {
    for (const stages::Result& result : run.pipeline().results) {
        const auto found = run.results().find(result.stage);
        if (found == run.results().end()) continue;
        console.result(result.name, store.artifact_path(found->second.record.artifacts.at(result.artifact).id));
    }
}

Json begin_event(const BuildRun& run) {
    Json names = Json::array();
    for (const StageStatus& status : run.stages()) names.push_back(status.stage->name);
    return {{"pipeline", run.pipeline().name},
            {"file", run.pipeline().file},
            {"directory", run.pipeline().directory},
            {"pid", ::getpid()},
            {"stages", names}};
}

sandbox::os::Fd open_to_append(const store::Store& store, const std::string& name) {
    constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
    return sandbox::os::Fd(
        sandbox::os::sys([&] { return ::openat(store.directory(), name.c_str(), flags, 0600); }, "open {}", name));
}

// What a build has on the disk from its first moment: who supervises it, what it shows, what happens.
struct RunFiles {
    RunFiles(const store::Store& store, report::Console& console)
        : place(store.begin_run()),
          lock(store.directory(), place),
          events(open_to_append(store, place + "/events.jsonl")) {
        console.keep(open_to_append(store, place + "/console.log"));
    }
    std::string place;
    store::RunLock lock;
    report::EventLog events;
};

// A disk that is full is no reason to end without saying what became of the build.
void keep_receipt(const store::Store& store, const std::string& place, const host::Receipt& receipt,
                  report::Console& console) {
    try {
        sandbox::os::write_file_atomically(store.directory(), place + "/receipt.json",
                                           host::to_json(receipt).dump(1) + "\n");
    } catch (const sandbox::os::SysError& error) {
        console.warning(format("the receipt is not kept: {}", error.what()));
    }
}

// From the first stage to the receipt; the exit code.
int finish(BuildRun& run, const BuildOptions& options, const store::Store& store, host::Watch& watch,
           host::HostServices& services, report::Console& console) {
    run.run();
    const std::string export_fault = export_results(run, options);
    run.empty_trash();
    run.close_cgroups();
    services.end();
    host::Ours ours = run.ours();
    ours.host_services = services.started();
    const host::Receipt receipt = watch.finish(std::move(ours));
    print_summary(run, console);
    if (const std::string words = services.summary(); !words.empty()) {
        console.note(words);
        run.log().info("{}", words);
    }
    name_missing_results(run, run.pipeline(), console);
    console.note(host::to_text(receipt));
    run.events().write("usage", usage_event(run));
    run.events().write("receipt", host::to_short_json(receipt));
    keep_receipt(store, run.place(), receipt, console);
    run.log().info("{}", host::to_text(receipt));
    int code = services.is_as_found() ? exit_code(run, receipt) : host_touched;
    if (!export_fault.empty()) {
        console.error(export_fault);
        if (code == done) code = jail_failed;
    }
    if (options.output.empty()) print_results(run, store, console);
    return code;
}

int build_here(const BuildOptions& options, const Begun& begun) {
    const stages::Pipeline pipeline = stages::read_pipeline(options.file, options.vars);
    check_needs(pipeline, options);
    report::Console console;
    for (const stages::Stage& stage : pipeline.stages) {
        console.set_stage_width(std::max(console.stage_width(), stage.name.size()));
    }

    // Whoever read our messages may be gone; that is no reason to end in the middle of a stage.
    ::signal(SIGPIPE, SIG_IGN);
    // What a dying child of ours might leave becomes a child of this process, and so is seen by the receipt.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    store::Store store(options.store.empty() ? store::Store::default_path() : options.store);
    const host::IsAlive is_alive = [&](const std::string& run) { return store::is_supervised(store.directory(), run); };
    host::restore_of_dead_runs(store.directory(), is_alive, [&](const std::string& words) { console.note(words); });
    host::Watch watch(store.path());
    check_session(watch.before(), pipeline, options, store, console);
    const sandbox::os::Fd shared = store.share();
    store.sweep();

    RunFiles files(store, console);
    int code = jail_failed;
    {
        BuildRun run(pipeline, options, store, console, watch, files.events, files.place);
        files.events.write("begin", begin_event(run));
        const host::Session here = host::classify(host::read_session_facts(watch.before().processes));
        run.log().info("pipeline {} of {}; {}", pipeline.name, options.file, host::describe(here));
        host::HostServices services(
            pipeline, {.store = store.directory(),
                       .run = files.place,
                       // Looking at one's own lock would let it go.
                       .is_alive = [&](const std::string& one) { return one == files.place || is_alive(one); },
                       .say = [&](const std::string& words) { console.note(words); },
                       .is_interrupted = [&] { return run.is_told_to_end(); }});
        try {
            services.begin();
            run.poll_signals();
            if (begun) begun(files.place, console);
            code = finish(run, options, store, watch, services, console);
        } catch (const sandbox::ConfigError& error) {
            // The terminal may be gone, so it is said where everything else is said, and not by main.
            console.note(error.what());
            code = wrong_input;
        } catch (const host::HostServiceError& error) {
            console.error(error.what());
        } catch (const std::exception& error) {
            console.error(sandbox::os::printable(error.what()));
        }
    }
    files.events.write("end", {{"exit", code}});
    return code;
}

}  // namespace

int build(const BuildOptions& options) {
    if (options.session == BuildSession::callers) return build_here(options, {});
    return run_detached([&](const Begun& begun) { return build_here(options, begun); });
}

}  // namespace runtime::supervisor
