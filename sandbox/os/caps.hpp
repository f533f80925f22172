// Capabilities by name and as bit masks (capabilities(7)); the one user of libcap. Knows nothing of
// processes: what a jail keeps is decided in a profile, and dropped in the child by plain system calls.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sandbox {

// The bit of a mask that stands for a capability number.
constexpr std::uint64_t capability_bit(int number) {
    return std::uint64_t{1} << static_cast<unsigned>(number);
}

// "CAP_CHOWN", "cap_chown" and "chown" are the same. Nothing for a name that libcap does not know.
std::optional<int> capability_number(std::string_view name);

// "CAP_CHOWN"; "CAP_57" for a number that has no name yet.
std::string capability_name(int number);

// The highest number that the running kernel knows. A bounding set has to be emptied up to it: the kernel may
// be newer than every name in this program.
int last_capability();
// All that the running kernel knows, as a mask.
std::uint64_t known_capabilities();

// Those that are effective in this process.
std::uint64_t own_capabilities();

// For reports: "chown, dac_override", "none", or "all" where every capability of the running kernel is in the
// mask.
std::string describe_capabilities(std::uint64_t mask);

}  // namespace sandbox
