// Limits as people write them: the table `limits` of profiles and pipeline files, and words of a command line. Knows
// nothing of how a limit is kept.
#pragma once
#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/config.hpp"
#include "sandbox/spec.hpp"

namespace sandbox {

// "pids", "memory", "cpu", "io-weight", "time", "idle".
std::span<const std::string_view> limit_names();

// One limit by its name, from a word: "4000", "3G", "2.5" or "250%", "90s". Throws std::invalid_argument, which says what
// would be right.
void set_limit(Limits& limits, std::string_view name, std::string_view text);

// The keys of a table over what is there already. Throws ConfigError.
void read_limits(const ConfigTable& table, Limits& limits);

// "90s", "30m", "2h".
std::chrono::seconds read_duration(const ConfigValue& value);

// `upper` where it says something, `under` elsewhere.
Limits merge_limits(const Limits& under, const Limits& upper);

// What is set: "memory 3G, time 90s".
std::string describe_limits(const Limits& limits);

// The names of those that need a cgroup and so cannot be kept here, and the command around which they can.
struct UnkeptLimits {
    std::vector<std::string_view> names;  // none: all can be kept
    std::string remedy;
};
UnkeptLimits unkept_limits(const Limits& limits);

}  // namespace sandbox
