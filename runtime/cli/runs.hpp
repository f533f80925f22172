// `status`, `log` and `attach`: builds that go on somewhere else, or are over.
#pragma once
#include <string>
#include <vector>

#include "runtime/cli/output_format.hpp"

namespace runtime::cli {

struct RunsOptions {
    std::string store;  // empty: the default
    std::string run;    // its name, or how that begins; empty: see the commands
};

// Of the names of runs, the one that is `name`, or else the only one that begins with it. Throws std::invalid_argument.
std::string named_run(const std::vector<std::string>& names, const std::string& name);

// `status`: all runs that go on and the last ten others, or everything of one.
int show_status(const RunsOptions& options, OutputFormat how);

enum class LogMode : unsigned char { once, follow };
// `log`: what a run has shown so far, or until it is over; the last run if none is named. Once: 0. To the end: the build's exit
// code, or 128 + SIGKILL where it was killed and has none.
int show_log(const RunsOptions& options, LogMode mode);

// `attach`: the last lines, and what comes, until the run is over: then the build's exit code. SIGINT goes to the build; SIGQUIT,
// and what else ends this process, leaves it alone. The run that goes on, if none is named.
int attach(const RunsOptions& options);

}  // namespace runtime::cli
