// `stagebox run`: one command in a jail. Its options have the names and meanings of bubblewrap's (bwrap(1)).
#pragma once
#include <string>
#include <vector>

#include "runtime/cli/run/options.hpp"

namespace runtime::cli {

// Completes what the options say by the profile that they name, and by the caller's streams. Throws where the profile
// cannot be had, or the request asks for more than it allows or for what cannot be kept.
void prepare_run(RunRequest& request);

}  // namespace runtime::cli
