#include "runtime/supervisor/build.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/consent/consent.hpp"
#include "runtime/engine/profiles.hpp"
#include "runtime/host/check/session.hpp"
#include "runtime/host/check/session_check.hpp"
#include "runtime/host/receipt/watch.hpp"
#include "runtime/host/services/host_services.hpp"
#include "runtime/report/exit_codes.hpp"
#include "runtime/store/older_store.hpp"
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

std::string absolute(const std::string& path) {
    if (path.empty() || path.starts_with("/")) return path;
    return sandbox::os::real_path(".") + "/" + path;
}

using Wanted = std::vector<const stages::Stage*>;

Wanted wanted_stages(const stages::Pipeline& pipeline, const BuildOptions& options) {
    const stages::Graph graph(pipeline);
    Wanted wanted;
    for (const std::size_t place : graph.order_for(options.stages)) wanted.push_back(&pipeline.stages[place]);
    for (const std::string& stage : options.refresh) static_cast<void>(graph.place_of(stage));
    return wanted;
}

void check_needs(const Wanted& wanted) {
    const std::vector<MissingNeed> missing = missing_needs(wanted);
    if (!missing.empty()) throw std::runtime_error(to_text(missing));
}

// Before anything is made: what is not granted leaves no trace. What was said of it, for the run's log.
std::vector<std::string> obtain_consent(const stages::Pipeline& pipeline, const Wanted& wanted,
                                        const BuildOptions& options, report::Console& console) {
    engine::Profiles profiles(pipeline);
    for (const stages::Stage* stage : wanted) profiles.check(*stage);
    std::vector<std::string> said;
    consent::obtain(consent::request_of(pipeline, wanted, consent::Purpose::build, profiles), options.allow, pipeline,
                    [&](std::string_view line) {
                        said.push_back(sandbox::os::printable(line));
                        console.note(said.back());
                    });
    return said;
}

// Says what somebody should know before the stages run, and lets none run where that would do harm.
void check_session(const host::Watch& watch, const stages::Pipeline& pipeline, const BuildOptions& options,
                   const store::Store& store, report::Console& console) {
    const host::OurPaths ours{.store = store.path(), .project = pipeline.project, .output = absolute(options.output)};
    std::string harm;
    for (const host::Finding& finding :
         host::check_host({watch.host(), watch.before().mounts, watch.before().processes}, ours)) {
        const std::string text = host::to_text(finding);
        if (finding.severity == host::Severity::warning) console.note(text);
        if (finding.severity == host::Severity::harm) sandbox::os::append_part(harm, "\n", text);
    }
    if (!harm.empty()) throw std::runtime_error("the build does not start, it would do harm here\n" + harm);
}

// What went wrong, empty where nothing did: the summary and the receipt are due all the same.
std::string export_results(BuildRun& run) {
    const BuildView build = run.view();
    if (build.options.output.empty() || build.signal != 0) return {};
    try {
        run.export_results(build.options.output);
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

Json begin_event(const BuildView& build) {
    Json names = Json::array();
    for (const StageStatus& status : build.stages) names.push_back(status.stage->name);
    return {{"version", report::events_version},
            {"pipeline", build.pipeline.name},
            {"file", build.pipeline.file},
            {"directory", build.pipeline.directory},
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

// Why it is not kept. A disk that is full is no reason to end without saying what became of the build.
std::string keep_receipt(const store::Store& store, const std::string& place, const host::Receipt& receipt) {
    try {
        sandbox::os::write_file_atomically(store.directory(), place + "/receipt.json",
                                           host::to_json(receipt).dump(1) + "\n");
    } catch (const sandbox::os::SysError& error) {
        return error.what();
    }
    return {};
}

// Where the pipeline's results are whose stages are done.
std::vector<BuiltResult> results_of(const stages::Pipeline& pipeline, const engine::Results& done,
                                    const store::Store& store) {
    std::vector<BuiltResult> all;
    for (const stages::Result& result : pipeline.results) {
        const auto found = done.find(result.stage);
        if (found == done.end()) continue;
        all.push_back({result.name, store.artifact_path(found->second.record.artifacts.at(result.artifact).id)});
    }
    return all;
}

// What one build works with.
struct Setting {
    const BuildOptions& options;
    const TellEnd& tell_end;
    const stages::Pipeline& pipeline;
    store::Store& store;
    host::Watch& watch;
    RunFiles& files;
    const host::IsAlive& is_alive;
    report::Console& console;
    const std::vector<std::string>& permissions;  // what was said of them
};

// From the first stage to the receipt; the exit code.
int finish(BuildRun& run, const Setting& setting, host::HostServices& services) {
    run.run();
    std::string export_fault = export_results(run);
    run.empty_trash();
    run.close_cgroups();
    services.end();
    host::Ours ours = run.ours();
    ours.host_services = services.started();
    const host::Receipt receipt = setting.watch.finish(std::move(ours));
    run.events().write("usage", usage_event(run.view()));
    run.events().write("receipt", host::to_short_json(receipt));
    const BuildEnd end{.build = run.view(),
                       .receipt = receipt,
                       .results = results_of(setting.pipeline, run.results(), setting.store),
                       .receipt_fault = keep_receipt(setting.store, run.place(), receipt),
                       .services = services.summary(),
                       .has_services_as_found = services.is_as_found(),
                       .export_fault = std::move(export_fault)};
    if (!end.services.empty()) run.log().info("{}", end.services);
    run.log().info("{}", host::to_text(receipt));
    return setting.tell_end(end, setting.console);
}

host::ServiceUser service_user(const BuildRun& run, const Setting& setting) {
    return {.store = setting.store.directory(),
            .run = setting.files.place,
            // Looking at one's own lock would let it go.
            .is_alive = [&](const std::string& one) { return one == setting.files.place || setting.is_alive(one); },
            .say = [&](const std::string& words) { setting.console.note(words); },
            .is_interrupted = [&] { return run.is_told_to_end(); }};
}

// The terminal may be gone, so what is wrong is said where everything else is said, and not by main.
int run_build(const Setting& setting, const Begun& begun) {
    report::Console& console = setting.console;
    BuildRun run(setting.pipeline, setting.options, setting.store, console, setting.watch, setting.files.events,
                 setting.files.place);
    setting.files.events.write("begin", begin_event(run.view()));
    const host::Session here =
        host::classify(host::read_session_facts(setting.watch.host(), setting.watch.before().processes));
    run.log().info("pipeline {} of {}; {}", setting.pipeline.name, setting.options.file, host::describe(here));
    for (const std::string& line : setting.permissions) run.log().info("{}", line);
    host::HostServices services(setting.pipeline, service_user(run, setting));
    try {
        services.begin();
        run.poll_signals();
        if (begun) begun(setting.files.place, console);
        return finish(run, setting, services);
    } catch (const sandbox::ConfigError& error) {
        console.note(error.what());
        return report::ExitCode::wrong_input;
    } catch (const host::HostServiceError& error) {
        console.error(error.what());
    } catch (const std::exception& error) {
        console.error(sandbox::os::printable(error.what()));
    }
    return report::ExitCode::cannot_run;
}

void set_up_process() {
    // Whoever read our messages may be gone; that is no reason to end in the middle of a stage.
    ::signal(SIGPIPE, SIG_IGN);
    // What a dying child of ours might leave becomes a child of this process, and so is seen by the receipt.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int build_here(const BuildOptions& options, const TellEnd& tell_end, const Begun& begun) {
    const stages::Pipeline pipeline = stages::read_pipeline(options.file, options.vars);
    const Wanted wanted = wanted_stages(pipeline, options);
    report::Console console;
    if (options.file_choice == FileChoice::found) {
        const std::string name = options.file.substr(options.file.rfind('/') + 1);
        console.note(sandbox::os::printable(format("the pipeline file is {}/{}", pipeline.directory, name)));
    }
    const std::vector<std::string> permissions = obtain_consent(pipeline, wanted, options, console);
    check_needs(wanted);
    for (const stages::Stage& stage : pipeline.stages) {
        console.set_stage_width(std::max(console.stage_width(), stage.name.size()));
    }
    set_up_process();
    store::Store store(options.store.empty() ? store::Store::default_path() : options.store);
    const host::IsAlive is_alive = [&](const std::string& run) { return store::is_supervised(store.directory(), run); };
    host::restore_of_dead_runs(store.directory(), is_alive, [&](const std::string& words) { console.note(words); });
    host::Watch watch(store.path());
    check_session(watch, pipeline, options, store, console);
    const sandbox::os::Fd shared = store.share();
    store.sweep();
    // Once, when the results of before are missed.
    if (store.is_empty()) {
        if (const auto older = store::find_older_store(store)) console.note(store::describe(*older));
    }

    RunFiles files(store, console);
    const int code =
        run_build({options, tell_end, pipeline, store, watch, files, is_alive, console, permissions}, begun);
    files.events.write("end", {{"exit", code}});
    return code;
}

}  // namespace

int build(const BuildOptions& options, const TellEnd& tell_end) {
    if (options.session == BuildSession::callers) return build_here(options, tell_end, {});
    return run_detached([&](const Begun& begun) { return build_here(options, tell_end, begun); });
}

}  // namespace runtime::supervisor
