#include "runtime/cli/build_end.hpp"

#include "runtime/supervisor/stage_report.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::cli {

using sandbox::os::format;
using stages::StageState;
using supervisor::BuildEnd;
using supervisor::BuildView;
using supervisor::StageStatus;

namespace {

// Of those that this build was to make.
void name_missing_results(const BuildView& build, report::Console& console) {
    for (const stages::Result& result : build.pipeline.results) {
        for (const StageStatus& status : build.stages) {
            if (status.stage->name != result.stage || stages::has_result(build.state(status))) continue;
            console.note(
                format("no result {}: stage {} was {}", result.name, result.stage, name_of(build.state(status))));
        }
    }
}

void print_summary(const BuildView& build, report::Console& console) {
    std::vector<report::StageLine> lines;
    for (const StageStatus& status : build.stages) lines.push_back(supervisor::line_of(build, status));
    console.note("\n" + report::summary_table(console, lines));
    if (const std::string words = supervisor::usage_line(build); !words.empty()) console.note(words);
    for (const StageStatus& status : build.stages) {
        if (status.failure && status.failure->kind != engine::FailureClass::interrupted) {
            console.note(report::failure_text(console, supervisor::failed_of(build, status)));
        } else if (build.state(status) == StageState::built && status.denials.total() > 0) {
            console.note(supervisor::denials_note(status));
        }
    }
}

}  // namespace

int exit_code(const BuildEnd& end) {
    const BuildView& build = end.build;
    if (!end.has_services_as_found || !end.receipt.clean()) return ExitCode::host_touched;
    if (build.signal != 0) return ExitCode::by_signal(build.signal);
    const bool is_done = !build.schedule.has_failed();
    if (is_done) return end.export_fault.empty() ? ExitCode::done : ExitCode::cannot_run;
    for (const StageStatus& status : build.stages) {
        const bool counts = build.state(status) == StageState::failed && !build.schedule.is_tolerated(status.place);
        if (counts && status.failure->kind == engine::FailureClass::jail) return ExitCode::cannot_run;
    }
    return ExitCode::stage_failed;
}

int tell_end(const BuildEnd& end, report::Console& console) {
    print_summary(end.build, console);
    if (!end.services.empty()) console.note(end.services);
    name_missing_results(end.build, console);
    console.note(host::to_text(end.receipt));
    if (!end.receipt_fault.empty()) console.warning(format("the receipt is not kept: {}", end.receipt_fault));
    if (!end.export_fault.empty()) console.error(end.export_fault);
    if (end.build.options.output.empty()) {
        for (const supervisor::BuiltResult& result : end.results) console.result(result.name, result.path);
    }
    return exit_code(end);
}

}  // namespace runtime::cli
