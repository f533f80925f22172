#include "sandbox/spec/limits_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <stdexcept>

#include "sandbox/config/text.hpp"
#include "sandbox/os/format.hpp"

namespace sandbox {
namespace {

using os::format;

constexpr std::array<std::string_view, 7> names = {"pids", "memory", "cpu", "io-weight", "time", "idle", "fallback"};
constexpr std::string_view time_help = "a number and s, m or h: \"90s\", \"30m\", \"2h\"";

std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (text.empty() || error != std::errc{} || stopped != end) return std::nullopt;
    return number;
}

std::optional<std::chrono::seconds> duration_of(std::string_view text) {
    if (text.empty()) return std::nullopt;
    // Seven digits are 114 days, or 1,141 years of hours: nothing overflows.
    const std::string_view digits = text.substr(0, text.size() - 1);
    const std::optional<std::uint64_t> count = digits.size() <= 7 ? whole_number(digits) : std::nullopt;
    if (!count || *count == 0) return std::nullopt;
    const auto number = static_cast<std::int64_t>(*count);
    switch (text.back()) {
        case 's': return std::chrono::seconds(number);
        case 'm': return std::chrono::minutes(number);
        case 'h': return std::chrono::hours(number);
        default: return std::nullopt;
    }
}

// Powers of 1024, as the kernel's own files have them.
std::optional<std::uint64_t> bytes_of(std::string_view text) {
    constexpr std::string_view units = "KMGT";
    std::uint64_t factor = 1;
    if (!text.empty()) {
        const std::size_t unit = units.find(text.back());
        if (unit != units.npos) {
            factor = std::uint64_t{1} << (10 * (unit + 1));
            text.remove_suffix(1);
        }
    }
    const std::optional<std::uint64_t> count = whole_number(text);
    if (!count || *count == 0 || *count > UINT64_MAX / factor) return std::nullopt;
    return *count * factor;
}

// Cores, or hundredths of one with "%": in thousandths.
std::optional<std::uint32_t> cores_of(std::string_view text) {
    const bool percent = text.ends_with('%');
    if (percent) text.remove_suffix(1);
    double cores = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, cores);
    if (text.empty() || error != std::errc{} || stopped != end) return std::nullopt;
    const double thousandths = cores * (percent ? 10 : 1000);
    // A cgroup's period of 100 ms and its least quota of 1 ms: nothing below a hundredth of a core can be kept.
    if (!(thousandths >= 10 && thousandths <= 1e7)) return std::nullopt;
    return static_cast<std::uint32_t>(std::lround(thousandths));
}

std::optional<LimitFallback> fallback_of(std::string_view text) {
    if (text == "refuse") return LimitFallback::refuse;
    if (text == "rlimits") return LimitFallback::rlimits;
    return std::nullopt;
}

std::string wrong(std::string_view name) {
    if (name == "fallback") return "\"refuse\" or \"rlimits\"";
    if (name == "pids") return "a number of processes, 1 or more: 4000";
    if (name == "memory") return "bytes with K, M, G or T, powers of 1024: \"3G\"";
    if (name == "cpu") return "a number of cores, or hundredths of one with %: 2.5, \"250%\"";
    if (name == "io-weight") return "a number from 1 to 10000, where others have 100";
    return std::string(time_help);
}

template <class T>
bool take(std::optional<T>& limit, std::optional<T> value) {
    if (value) limit = value;
    return value.has_value();
}

bool try_set(Limits& limits, std::string_view name, std::string_view text) {
    if (name == "memory") return take(limits.memory, bytes_of(text));
    if (name == "cpu") return take(limits.cpu, cores_of(text));
    if (name == "time") return take(limits.time, duration_of(text));
    if (name == "idle") return take(limits.idle, duration_of(text));
    if (name == "fallback") return take(limits.fallback, fallback_of(text));
    const std::optional<std::uint64_t> number = whole_number(text);
    if (!number || *number == 0) return false;
    if (name == "pids") return take(limits.pids, number);
    return *number <= 10000 && take(limits.io_weight, std::optional(static_cast<std::uint32_t>(*number)));
}

}  // namespace

std::span<const std::string_view> limit_names() {
    return names;
}

void set_limit(Limits& limits, std::string_view name, std::string_view text) {
    if (std::ranges::find(names, name) == names.end()) {
        throw std::invalid_argument(format("there is no limit {}; there are {}", quote(name), list_words(names)));
    }
    if (!try_set(limits, name, text)) {
        throw std::invalid_argument(format("{} is not right for the limit {}: {}", quote(text), name, wrong(name)));
    }
}

std::chrono::seconds read_duration(const ConfigValue& value) {
    if (value.is_number()) {
        throw value.error(format("{} needs a unit, but is {}", value.path(), value.found()), std::string(time_help));
    }
    const std::optional<std::chrono::seconds> duration = duration_of(value.as_string());
    if (!duration) {
        throw value.error(format("{} must be a time, but is {}", value.path(), value.found()), std::string(time_help));
    }
    return *duration;
}

void read_limits(const ConfigTable& table, Limits& limits) {
    for (const ConfigEntry& entry : table.entries()) {
        const ConfigValue& value = entry.value;
        if (std::ranges::find(names, entry.key) == names.end()) throw table.unknown_key(entry, names);
        if (entry.key == "time") {
            limits.time = read_duration(value);
        } else if (entry.key == "idle") {
            limits.idle = read_duration(value);
        } else {
            const std::string text = value.is_number()   ? format("{}", value.as_number())
                                     : value.is_string() ? value.as_string()
                                                         : std::string();
            if (try_set(limits, entry.key, text)) continue;
            throw value.error(format("{} cannot be {}", value.path(), value.found()), wrong(entry.key));
        }
    }
}

Limits merge_limits(const Limits& under, const Limits& upper) {
    Limits merged = under;
    if (upper.pids) merged.pids = upper.pids;
    if (upper.memory) merged.memory = upper.memory;
    if (upper.cpu) merged.cpu = upper.cpu;
    if (upper.io_weight) merged.io_weight = upper.io_weight;
    if (upper.time) merged.time = upper.time;
    if (upper.idle) merged.idle = upper.idle;
    if (upper.fallback) merged.fallback = upper.fallback;
    return merged;
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::string_view units = "KMGT";
    std::size_t unit = 0;
    while (unit < units.size() && bytes % 1024 == 0 && bytes >= 1024) {
        bytes /= 1024;
        ++unit;
    }
    return unit == 0 ? format("{}", bytes) : format("{}{}", bytes, units[unit - 1]);
}

std::string describe_limits(const Limits& limits) {
    std::string text;
    const auto add = [&](std::string_view name, const std::string& value) {
        text += format("{}{} {}", text.empty() ? "" : ", ", name, value);
    };
    if (limits.pids) add("pids", format("{}", *limits.pids));
    if (limits.memory) add("memory", bytes_text(*limits.memory));
    if (limits.cpu) add("cpu", format("{}", *limits.cpu / 1000.0));
    if (limits.io_weight) add("io-weight", format("{}", *limits.io_weight));
    if (limits.time) add("time", format("{}s", limits.time->count()));
    if (limits.idle) add("idle", format("{}s", limits.idle->count()));
    if (limits.fallback) add("fallback", limits.fallback == LimitFallback::refuse ? "refuse" : "rlimits");
    return text;
}

}  // namespace sandbox
