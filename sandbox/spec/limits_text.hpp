// Limits as people write them: the table `limits` of profiles and pipeline files, and words of a command line. Knows
// nothing of how a limit is kept.
#pragma once
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sandbox/config/config.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// "pids", "memory", "cpu", "io-weight", "time", "idle", "fallback".
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

// Bytes as a limit has them: "3G", "1000".
std::string bytes_text(std::uint64_t bytes);
// What is set: "memory 3G, time 90s".
std::string describe_limits(const Limits& limits);

}  // namespace sandbox
