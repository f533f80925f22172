// `stagebox run`: one command in a jail. Its options have the names and meanings of bubblewrap's (bwrap(1)).
#pragma once
#include <string>
#include <vector>

#include "sandbox/spec.hpp"

namespace runtime::cli {

inline constexpr int jail_not_built = 125;

// What the options say; pure.
struct RunRequest {
    sandbox::Spec spec;
    sandbox::Command command;
    sandbox::IdMode ids = sandbox::IdMode::single;
    std::string profile = "build";
    std::string hostname;  // empty: the profile's
    bool wants_help = false;
};
// Throws std::invalid_argument for what is no option, or lacks its value.
RunRequest parse_run(const std::vector<std::string>& arguments);

// The command's own exit code, 128+N for signal N, 126/127 where it cannot be executed, jail_not_built.
int run(const std::vector<std::string>& arguments);

}  // namespace runtime::cli
