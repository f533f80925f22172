// What this machine allows, found out by doing each thing once in a throw-away child ("doctor"). A version
// number or a setting proves nothing: containers, security modules and distributions change what a call does.
// Nothing stays behind. Knows nothing of how the findings are shown.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sandbox {

// ok: works.   limited: jails can be made, but with less.   missing: no jail can be made without it.
enum class Status : std::uint8_t { ok, limited, missing };

struct Finding {
    std::string name;
    Status status = Status::ok;
    std::string detail;  // what was seen
    std::string remedy;  // the command or the step that mends it; empty when ok, or where none is known
};

// `store_path`: where layers would be kept; it need not exist, its nearest existing parent is used. For the
// moment of the probe a folder is made there. The process must have one thread.
[[nodiscard]] std::vector<Finding> probe_machine(const std::string& store_path);

// The version of Landlock that the kernel has (landlock(7)); 0 where it has none. Jails make use of it from 2 on.
[[nodiscard]] int landlock_abi();

// Nothing is missing.
[[nodiscard]] bool usable(const std::vector<Finding>& findings);

}  // namespace sandbox
