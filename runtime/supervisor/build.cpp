#include "runtime/supervisor/build.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <set>
#include <span>

#include "runtime/report/summary.hpp"
#include "runtime/session/check.hpp"
#include "runtime/session/session.hpp"
#include "runtime/session/watch.hpp"
#include "runtime/supervisor/build_run.hpp"
#include "runtime/supervisor/needs.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::supervisor {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

std::string joined(std::span<const std::string_view> words) {
    std::string text;
    for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
    return text;
}

report::StageLine line_of(const BuildRun& run, const StageStatus& status, std::span<const std::string_view> loosened) {
    const bool has_record = stages::has_result(run.state(status));
    return {.name = status.stage->name,
            .state = std::string(name_of(run.state(status))),
            .seconds = status.usage.seconds,
            .layer_bytes = has_record ? static_cast<double>(store::made_bytes(status.record)) : 0,
            .cpu_seconds = status.usage.cpu_seconds,
            .peak_bytes = static_cast<double>(status.usage.peak_bytes),
            .loosened = joined(loosened)};
}

// The three ways on, as they are typed.
std::vector<std::pair<std::string, std::string>> ways_on(const std::string& stage, const BuildOptions& options) {
    const std::string file = options.file == "stagebox.toml" ? "" : format(" -f {}", options.file);
    const std::string store = options.store.empty() ? "" : format(" --store {}", options.store);
    return {{"retry", format("stagebox build{}{} {}", file, store, stage)},
            {"shell", format("stagebox shell{}{} {} --failed", file, store, stage)},
            {"explain", format("stagebox explain{}{} {}", file, store, stage)}};
}

std::string command_of(const stages::Stage& stage) {
    if (stage.script) return stage.script->path;
    std::string text;
    for (const std::string& word : stage.run) text += (text.empty() ? "" : " ") + word;
    return text;
}

// The stages that were skipped because this one failed.
std::vector<std::string> skipped_for(const BuildRun& run, const StageStatus& failed) {
    std::vector<std::string> names;
    for (const StageStatus& status : run.stages()) {
        if (run.schedule().skipped_for(status.place) == failed.place) names.push_back(status.stage->name);
    }
    return names;
}

report::FailedStage failed_of(const BuildRun& run, const StageStatus& status, const BuildOptions& options) {
    const Failure& failure = *status.failure;
    return {.name = status.stage->name,
            .what = failure.what,
            .failure_class = std::string(name_of(failure.kind)),
            .found_by = failure.found_by,
            .command = command_of(*status.stage),
            .attempts = status.attempts,
            .seconds = failure.seconds,
            .limits = failure.limits,
            .remedy = failure.remedy,
            .log = status.log,
            .last_lines = status.last_lines,
            .denials = to_lines(status.denials, 5),
            .skipped = skipped_for(run, status),
            .is_tolerated = run.schedule().is_tolerated(status.place),
            .ways_on = ways_on(status.stage->name, options)};
}

Json failure_event(const BuildRun& run, const StageStatus& status, const BuildOptions& options) {
    const Failure& failure = *status.failure;
    Json event = {{"class", name_of(failure.kind)}, {"what", failure.what}, {"command", command_of(*status.stage)}};
    if (!failure.found_by.empty()) event["found_by"] = failure.found_by;
    if (failure.exit_code) event["exit"] = *failure.exit_code;
    if (failure.signal != 0) event["signal"] = failure.signal;
    if (failure.seconds > 0) event["seconds"] = failure.seconds;
    if (!failure.limits.empty()) event["limits"] = failure.limits;
    if (!failure.remedy.empty()) event["help"] = failure.remedy;
    if (!status.log.empty()) event["log"] = status.log;
    event["last_lines"] = report::shown_lines(status.last_lines);
    for (const auto& [name, command] : ways_on(status.stage->name, options)) event["go_on"][name] = command;
    event["tolerated"] = run.schedule().is_tolerated(status.place);
    return event;
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

// What all the commands of this run used together; of memory, what the largest one did.
store::Usage usage_of_all(const BuildRun& run) {
    store::Usage all;
    for (const StageStatus& status : run.stages()) {
        if (status.attempts == 0) continue;
        const store::Usage& one = status.usage;
        all.seconds += one.seconds;
        all.cpu_seconds += one.cpu_seconds;
        all.read_bytes += one.read_bytes;
        all.written_bytes += one.written_bytes;
        if (one.peak_bytes > all.peak_bytes) {
            all.peak_bytes = one.peak_bytes;
            all.peak_of = one.peak_of;
        }
        if (one.received_bytes) all.received_bytes = all.received_bytes.value_or(0) + *one.received_bytes;
        if (one.sent_bytes) all.sent_bytes = all.sent_bytes.value_or(0) + *one.sent_bytes;
    }
    return all;
}

// Empty where no stage ran.
std::string usage_line(const BuildRun& run) {
    const store::Usage all = usage_of_all(run);
    if (all.seconds <= 0) return {};
    const auto bytes = [](std::uint64_t number) { return report::human_bytes(static_cast<double>(number)); };
    return format("usage: {} of CPU, {} of memory at the most{}, {} read, {} written; {}",
                  report::human_seconds(all.cpu_seconds), bytes(all.peak_bytes),
                  all.peak_of == store::PeakOf::whole_jail ? "" : " in one process", bytes(all.read_bytes),
                  bytes(all.written_bytes), run.cgroup_words());
}

void print_summary(BuildRun& run, const BuildOptions& options, report::Console& console) {
    std::vector<report::StageLine> lines;
    for (const StageStatus& status : run.stages()) lines.push_back(line_of(run, status, run.loosened(*status.stage)));
    console.note("\n" + report::summary_table(console, lines));
    if (const std::string words = usage_line(run); !words.empty()) console.note(words);
    for (const StageStatus& status : run.stages()) {
        if (status.failure && status.failure->kind != FailureClass::interrupted) {
            console.note(report::failure_text(console, failed_of(run, status, options)));
        } else if (run.state(status) == StageState::built && status.denials.total() > 0) {
            console.note(denials_note(status));
        }
    }
}

void write_events(BuildRun& run, const stages::Pipeline& pipeline, const BuildOptions& options,
                  const store::Store& store, const session::Receipt& receipt) {
    std::string events;
    for (const StageStatus& status : run.stages()) {
        Json details = {{"stage", status.stage->name}, {"state", name_of(run.state(status))}};
        details["profile"] = status.stage->profile;
        details["loosened"] = run.loosened(*status.stage);
        if (!status.record.key.empty()) details["key"] = status.record.key;
        if (status.usage.seconds > 0) {
            details.update(store::to_json(status.usage));
            details["made_bytes"] = store::made_bytes(status.record);
        }
        if (!status.denials.is_empty()) details["denials"] = to_json(status.denials);
        if (status.attempts > 1) details["attempts"] = status.attempts;
        if (const auto failed = run.schedule().skipped_for(status.place)) {
            details["skipped_for"] = pipeline.stages[*failed].name;
        }
        if (status.failure) details["failure"] = failure_event(run, status, options);
        events += report::event_line(now_text(), "stage", details);
    }
    Json usage = store::to_json(usage_of_all(run));
    usage["counted_by"] = run.cgroup_words();
    events += report::event_line(now_text(), "usage", usage);
    events += report::event_line(now_text(), "receipt", session::to_short_json(receipt));
    sandbox::os::write_file_atomically(store.directory(), run.place() + "/events.jsonl", events);
}

int exit_code(const BuildRun& run, const session::Receipt& receipt) {
    if (!receipt.clean()) return host_touched;
    if (run.signal() != 0) return run.signal() == SIGINT ? interrupted : 128 + run.signal();
    if (!run.schedule().has_failed()) return done;
    for (const StageStatus& status : run.stages()) {
        const bool counts = run.state(status) == StageState::failed && !run.schedule().is_tolerated(status.place);
        if (counts && status.failure->kind == FailureClass::jail) return jail_failed;
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
void check_session(const session::HostState& host, const stages::Pipeline& pipeline, const BuildOptions& options,
                   const store::Store& store, report::Console& console) {
    const session::OurPaths ours{
        .store = store.path(), .project = pipeline.directory, .output = absolute(options.output)};
    std::string harm;
    for (const session::Finding& finding : session::check_host({host.mounts, host.processes}, ours)) {
        const std::string text = session::to_text(finding);
        if (finding.severity == session::Severity::warning) console.note(text);
        if (finding.severity == session::Severity::harm) harm += (harm.empty() ? "" : "\n") + text;
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
    store::Store store(options.store.empty() ? store::Store::default_path() : options.store);
    session::Watch watch(store.path());
    check_session(watch.before(), pipeline, options, store, console);
    const sandbox::os::Fd shared = store.share();
    store.sweep();

    int code = done;
    {
        BuildRun run(pipeline, options, store, console, watch);
        const session::Session here = session::classify(session::read_session_facts(watch.before().processes));
        run.log().info("pipeline {} of {}; {}", pipeline.name, options.file, session::describe(here));
        run.run();
        const std::string export_fault = export_results(run, options);
        run.empty_trash();
        run.close_cgroups();
        const session::Receipt receipt = watch.finish(run.ours());
        print_summary(run, options, console);
        name_missing_results(run, pipeline, console);
        console.note(session::to_text(receipt));
        write_events(run, pipeline, options, store, receipt);
        sandbox::os::write_file_atomically(store.directory(), run.place() + "/receipt.json",
                                           session::to_json(receipt).dump(1) + "\n");
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
