// The end of a build, as `build` tells it: the summary, the receipt, where the results are, the exit code.
#pragma once
#include "runtime/report/exit_codes.hpp"
#include "runtime/supervisor/build.hpp"

namespace runtime::cli {

using report::ExitCode;

int exit_code(const supervisor::BuildEnd& end);

// Prints all of it; exit_code(end).
int tell_end(const supervisor::BuildEnd& end, report::Console& console);

}  // namespace runtime::cli
