// Limits as people write them: the table `limits` of profiles and pipeline files, and words of a command line. Knows
// nothing of how a limit is kept.
#pragma once
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/config/keys.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// One limit: its key in a file, which is its name on a command line too, and what can be done with it.
struct LimitKey {
    KeyInfo info;
    std::string_view right;  // what would be right, for an error
    // From a word; false where that is none of the limit's.
    bool (*set)(Limits& limits, std::string_view text);
    void (*read)(const LimitKey& key, const ConfigValue& value, Limits& limits);
    void (*merge)(Limits& under, const Limits& upper);
    // Empty where it is not set.
    std::string (*text)(const Limits& limits);
};
std::span<const LimitKey> limit_keys();
std::vector<KeyInfo> limit_infos();

// One limit by its name, from a word: "4000", "3G", "2.5" or "250%", "90s". Throws std::invalid_argument, which says
// what would be right.
void set_limit(Limits& limits, std::string_view name, std::string_view text);

// The keys of a table over what is there already. Throws ConfigError.
void read_limits(const ConfigTable& table, Limits& limits);

// "90s", "30m", "2h".
inline constexpr Shape duration_shape = shape::text_like("^(?=.*[1-9])[0-9]{1,7}[smh]$");
std::chrono::seconds read_duration(const ConfigValue& value);

// `upper` where it says something, `under` elsewhere.
Limits merge_limits(const Limits& under, const Limits& upper);

// Bytes as a limit has them: "3G", "1000".
std::string bytes_text(std::uint64_t bytes);
// What is set: "memory 3G, time 90s".
std::string describe_limits(const Limits& limits);

}  // namespace sandbox
