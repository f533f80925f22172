#include "runtime/supervisor/stage_report.hpp"

#include <set>
#include <span>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::supervisor {

using sandbox::os::format;
using sandbox::os::Json;
using sandbox::os::shell_word;

namespace {

// The three ways on, as they are typed: with the file, the store and the variables of this build.
std::vector<std::pair<std::string, std::string>> ways_on(const std::string& stage, const BuildOptions& options) {
    std::string given;
    if (options.file != "stagebox.toml") given += format(" -f {}", shell_word(options.file));
    if (!options.store.empty()) given += format(" --store {}", shell_word(options.store));
    for (const auto& [name, value] : options.vars) given += format(" --var {}={}", name, shell_word(value));
    std::string granted;
    for (const std::string& words : options.allow) granted += format(" --allow {}", shell_word(words));
    return {{"retry", format("stagebox build{}{} {}", given, granted, stage)},
            {"shell", format("stagebox shell{}{} {} --failed", given, granted, stage)},
            {"explain", format("stagebox explain{} {}", given, stage)}};
}

std::string command_of(const stages::Stage& stage) {
    return stage.script ? shell_word(stage.script->path) : sandbox::os::shell_words(stage.run);
}

// The stages that were skipped because this one failed.
std::vector<std::string> skipped_for(const BuildView& build, const StageStatus& failed) {
    std::vector<std::string> names;
    for (const StageStatus& status : build.stages) {
        if (build.schedule.skipped_for(status.place) == failed.place) names.push_back(status.stage->name);
    }
    return names;
}

Json failure_event(const BuildView& build, const StageStatus& status) {
    const engine::Failure& failure = *status.failure;
    Json event = {
        {"class", name_of(failure.kind)}, {"what", failure.problem.what}, {"command", command_of(*status.stage)}};
    if (!failure.found_by.empty()) event["found_by"] = failure.found_by;
    if (failure.how.has_exited()) event["exit"] = failure.how.status;
    if (failure.signal != 0) event["signal"] = failure.signal;
    if (failure.seconds > 0) event["seconds"] = failure.seconds;
    if (!failure.limits.empty()) event["limits"] = failure.limits;
    if (!failure.problem.remedy.empty()) event["help"] = failure.problem.remedy;
    if (!status.log.empty()) event["log"] = status.log;
    event["last_lines"] = report::shown_lines(status.last_lines);
    for (const auto& [name, command] : ways_on(status.stage->name, build.options)) event["go_on"][name] = command;
    event["tolerated"] = build.schedule.is_tolerated(status.place);
    return event;
}

// What all the commands of this run used together; of memory, what the largest one did.
store::Usage usage_of_all(const BuildView& build) {
    store::Usage all;
    for (const StageStatus& status : build.stages) {
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

}  // namespace

report::StageLine line_of(const BuildView& build, const StageStatus& status) {
    const bool has_record = stages::has_result(build.state(status));
    return {.name = status.stage->name,
            .state = std::string(name_of(build.state(status))),
            .seconds = status.usage.seconds,
            .layer_bytes = has_record ? static_cast<double>(store::made_bytes(status.record)) : 0,
            .cpu_seconds = status.usage.cpu_seconds,
            .peak_bytes = static_cast<double>(status.usage.peak_bytes),
            .granted = sandbox::os::join(status.granted)};
}

report::FailedStage failed_of(const BuildView& build, const StageStatus& status) {
    const engine::Failure& failure = *status.failure;
    return {.name = status.stage->name,
            .problem = failure.problem,
            .failure_class = std::string(name_of(failure.kind)),
            .found_by = failure.found_by,
            .command = command_of(*status.stage),
            .attempts = status.attempts,
            .seconds = failure.seconds,
            .limits = failure.limits,
            .log = status.log,
            .last_lines = status.last_lines,
            .denials = to_lines(status.denials, 5),
            .skipped = skipped_for(build, status),
            .is_tolerated = build.schedule.is_tolerated(status.place),
            .ways_on = ways_on(status.stage->name, build.options)};
}

std::string denials_note(const StageStatus& status) {
    std::string calls;
    std::set<std::string> named;
    for (const jail::Denial& denial : status.denials.denials()) {
        if (named.size() == 5 || !named.insert(denial.kind.call).second) continue;
        sandbox::os::append_part(calls, ", ", denial.kind.call);
    }
    return format("denied in stage {}, {} times: {}; its record and the run's log have all", status.stage->name,
                  status.denials.total(), calls);
}

Json stage_event(const BuildView& build, const StageStatus& status) {
    Json details = {{"stage", status.stage->name}, {"state", name_of(build.state(status))}};
    details["profile"] = status.stage->profile;
    details["permissions"] = status.granted;
    if (!status.record.key.empty()) details["key"] = status.record.key;
    if (status.usage.seconds > 0) {
        details.update(store::to_json(status.usage));
        details["made_bytes"] = store::made_bytes(status.record);
    }
    if (!status.denials.is_empty()) details["denials"] = to_json(status.denials);
    if (status.attempts > 1) details["attempts"] = status.attempts;
    if (const auto failed = build.schedule.skipped_for(status.place))
        details["skipped_for"] = build.pipeline.stages[*failed].name;
    if (status.failure) details["failure"] = failure_event(build, status);
    return details;
}

std::string usage_line(const BuildView& build) {
    const store::Usage all = usage_of_all(build);
    if (all.seconds <= 0) return {};
    const auto bytes = [](std::uint64_t number) { return sandbox::os::human_bytes(static_cast<double>(number)); };
    return format("usage: {} of CPU, {} of memory at the most{}, {} read, {} written; {}",
                  sandbox::os::human_seconds(all.cpu_seconds), bytes(all.peak_bytes),
                  all.peak_of == store::PeakOf::whole_jail ? "" : " in one process", bytes(all.read_bytes),
                  bytes(all.written_bytes), build.counted_by);
}

Json usage_event(const BuildView& build) {
    Json usage = store::to_json(usage_of_all(build));
    usage["counted_by"] = build.counted_by;
    return usage;
}

}  // namespace runtime::supervisor
