// `stagebox run`: one command in a jail. Its options have the names and meanings of bubblewrap's (bwrap(1)).
#pragma once
#include <string>
#include <vector>

#include "runtime/cli/run_options.hpp"

namespace runtime::cli {

inline constexpr int jail_not_built = 125;

// The command's own exit code, 128+N for signal N, 126/127 where it cannot be executed, jail_not_built.
int run(const std::vector<std::string>& arguments);

}  // namespace runtime::cli
