#include "runtime/supervisor/build.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <set>
#include <span>

#include "runtime/report/summary.hpp"
#include "runtime/session/receipt.hpp"
#include "runtime/session/session.hpp"
#include "runtime/supervisor/build_run.hpp"
#include "runtime/supervisor/needs.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::supervisor {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

const char* state_name(StageState state) {
    switch (state) {
        case StageState::cached: return "cached";
        case StageState::built: return "built";
        case StageState::failed: return "failed";
        default: return "skipped";
    }
}

double made_bytes(const store::Record& record) {
    double bytes = record.layer ? static_cast<double>(record.layer->bytes) : 0;
    for (const auto& [name, object] : record.artifacts) bytes += static_cast<double>(object.bytes);
    return bytes;
}

std::string joined(std::span<const std::string_view> words) {
    std::string text;
    for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
    return text;
}

report::StageLine line_of(const StageStatus& status, std::span<const std::string_view> loosened) {
    const bool has_record = status.state == StageState::cached || status.state == StageState::built;
    return {.name = status.stage->name,
            .state = state_name(status.state),
            .seconds = has_record ? status.record.usage.seconds : 0,
            .layer_bytes = has_record ? made_bytes(status.record) : 0,
            .loosened = joined(loosened)};
}

report::FailedStage failed_of(const StageStatus& status, const BuildOptions& options) {
    report::FailedStage failed{.name = status.stage->name,
                               .what = status.failure->what,
                               .remedy = status.failure->remedy,
                               .log = status.log,
                               .last_lines = status.last_lines,
                               .denials = to_lines(status.denials, 5),
                               .commands = {}};
    const std::string file = options.file == "stagebox.toml" ? "" : format(" -f {}", options.file);
    const std::string store = options.store.empty() ? "" : format(" --store {}", options.store);
    failed.commands.push_back(
        format("look around in it:  stagebox shell{}{} {} --failed", file, store, status.stage->name));
    failed.commands.push_back(format("go on:              stagebox build{}{}", file, store));
    return failed;
}

// One line: a command that ended well has coped with what it was denied.
std::string denials_note(const StageStatus& status) {
    std::string calls;
    std::set<std::string> named;
    for (const Denial& denial : status.denials.denials()) {
        if (named.size() == 5 || !named.insert(denial.kind.call).second) continue;
        calls += format("{}{}", calls.empty() ? "" : ", ", denial.kind.call);
    }
    return format("denied in stage {}, {} times: {}; its record and the run's log have all", status.stage->name,
                  status.denials.total(), calls);
}

void print_summary(BuildRun& run, const BuildOptions& options, report::Console& console) {
    std::vector<report::StageLine> lines;
    for (const StageStatus& status : run.stages()) lines.push_back(line_of(status, run.loosened(*status.stage)));
    console.note("\n" + report::summary_table(console, lines));
    for (const StageStatus& status : run.stages()) {
        if (status.state == StageState::failed && status.failure->kind != FailureClass::interrupted) {
            console.note(report::failure_text(console, failed_of(status, options)));
        } else if (status.state == StageState::built && status.denials.total() > 0) {
            console.note(denials_note(status));
        }
    }
}

void write_events(BuildRun& run, const store::Store& store, const session::Receipt& receipt) {
    std::string events;
    for (const StageStatus& status : run.stages()) {
        Json details = {{"stage", status.stage->name}, {"state", state_name(status.state)}};
        details["profile"] = status.stage->profile;
        details["loosened"] = run.loosened(*status.stage);
        if (!status.record.key.empty()) details["key"] = status.record.key;
        if (status.record.usage.seconds > 0) {
            details["seconds"] = status.record.usage.seconds;
            details["cpu_seconds"] = status.record.usage.cpu_seconds;
            details["peak_bytes"] = status.record.usage.peak_bytes;
        }
        if (!status.denials.is_empty()) details["denials"] = to_json(status.denials);
        if (status.failure) {
            details["failure"] = {{"class", name_of(status.failure->kind)}, {"what", status.failure->what}};
        }
        events += report::event_line(now_text(), "stage", details);
    }
    events += report::event_line(now_text(), "receipt", session::to_json(receipt));
    sandbox::os::write_file_atomically(store.directory(), run.place() + "/events.jsonl", events);
}

int exit_code(const BuildRun& run, const session::Receipt& receipt) {
    if (!receipt.clean()) return host_touched;
    if (run.signal() != 0) return run.signal() == SIGINT ? interrupted : 128 + run.signal();
    int code = done;
    for (const StageStatus& status : run.stages()) {
        if (status.state != StageState::failed) continue;
        if (status.failure->kind == FailureClass::jail) return jail_failed;
        code = stage_failed;
    }
    return code;
}

void check_needs(const stages::Pipeline& pipeline, const BuildOptions& options) {
    const stages::Graph graph(pipeline);
    std::vector<const stages::Stage*> wanted;
    for (const std::size_t place : graph.order_for(options.stages)) wanted.push_back(&pipeline.stages[place]);
    const std::vector<MissingNeed> missing = missing_needs(wanted);
    if (!missing.empty()) throw std::runtime_error(to_text(missing));
    for (const std::string& stage : options.refresh) static_cast<void>(graph.place_of(stage));
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

}  // namespace

int build(const BuildOptions& options) {
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
    const session::HostState before = session::observe();
    store::Store store(options.store.empty() ? store::Store::default_path() : options.store);
    const sandbox::os::Fd shared = store.share();
    store.sweep();

    int code = done;
    {
        BuildRun run(pipeline, options, store, console);
        const session::Session here = session::classify(session::read_session_facts(before.processes));
        run.log().info("pipeline {} of {}; {}", pipeline.name, options.file, session::describe(here));
        run.run();
        const std::string export_fault = export_results(run, options);
        run.empty_trash();
        const session::Ours ours{store.path(), ::getpid(), run.helpers(), run.ids_in_use()};
        const session::Receipt receipt = session::make_receipt(before, session::observe(), ours);
        print_summary(run, options, console);
        console.note(session::to_text(receipt));
        write_events(run, store, receipt);
        run.log().info("{}", session::to_text(receipt));
        code = exit_code(run, receipt);
        if (!export_fault.empty()) {
            console.error(export_fault);
            if (code == done) code = jail_failed;
        }
        if (options.output.empty()) {
            for (const stages::Result& result : pipeline.results) {
                const auto found = run.results().find(result.stage);
                if (found == run.results().end()) continue;
                std::printf("%s %s\n", result.name.c_str(),
                            store.artifact_path(found->second.record.artifacts.at(result.artifact).id).c_str());
            }
        }
    }
    return code;
}

}  // namespace runtime::supervisor
