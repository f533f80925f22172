// `stagebox run --report`: what was enforced, as JSON, from the plan that the jail was made by.
#pragma once
#include "runtime/cli/run/options.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/plan/plan.hpp"

namespace runtime::cli {

// Without what is known only at the end: the exit code and the calls that were denied.
sandbox::os::Json report_of(const RunRequest& request, const sandbox::BuildPlan& plan);

}  // namespace runtime::cli
