// What this machine allows, found out by doing each thing once in a throw-away child ("doctor"). A version
// number or a setting proves nothing: containers, security modules and distributions change what a call does.
// Nothing stays behind. Knows nothing of how the findings are shown.
#pragma once
#include <string>
#include <vector>

#include "sandbox/probe/finding.hpp"

namespace sandbox {

// `store_path`: where layers would be kept; it need not exist, its nearest existing parent is used. For the
// moment of the probe a folder is made there. The process must have one thread.
[[nodiscard]] std::vector<Finding> probe_machine(const std::string& store_path);

// The version of Landlock that the kernel has (landlock(7)); 0 where it has none. Jails make use of it from 2 on.
[[nodiscard]] int landlock_abi();

// What is promised by the kernel's release and machine, as uname(2) has them; what it does is tried.
[[nodiscard]] Finding judge_kernel(const std::string& release, const std::string& machine);

// Nothing is missing.
[[nodiscard]] bool usable(const std::vector<Finding>& findings);

}  // namespace sandbox
