// What is told of one stage of a build when it is over: its line in the table, the report of its failure, its event;
// and what all of them used.
#pragma once
#include <string>

#include "runtime/report/summary.hpp"
#include "runtime/supervisor/build_view.hpp"
#include "sandbox/os/json.hpp"

namespace runtime::supervisor {

report::StageLine line_of(const BuildView& build, const StageStatus& status);
// Of a stage that has a failure.
report::FailedStage failed_of(const BuildView& build, const StageStatus& status);
// One line: a command that ended well has coped with what it was denied.
std::string denials_note(const StageStatus& status);
// The details of the event "stage".
sandbox::os::Json stage_event(const BuildView& build, const StageStatus& status);

// What all stages of the run used together, as a line for people (empty where none ran) and as the details of the event
// "usage".
std::string usage_line(const BuildView& build);
sandbox::os::Json usage_event(const BuildView& build);

}  // namespace runtime::supervisor
