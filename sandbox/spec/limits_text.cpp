#include "sandbox/spec/limits_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <stdexcept>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox {
namespace {

using os::format;
using os::list_words;
using os::quote;

constexpr std::uint64_t heaviest = 10000;  // io.weight, cgroups(7)
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

std::optional<std::uint64_t> count_of(std::string_view text) {
    const std::optional<std::uint64_t> number = whole_number(text);
    return number && *number > 0 ? number : std::nullopt;
}

std::optional<std::uint32_t> weight_of(std::string_view text) {
    const std::optional<std::uint64_t> number = count_of(text);
    if (!number || *number > heaviest) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
}

constexpr auto fallback_words =
    std::to_array<Word<LimitFallback>>({{"refuse", LimitFallback::refuse}, {"rlimits", LimitFallback::rlimits}});
constexpr auto fallback_names = words_in(fallback_words);

std::optional<LimitFallback> fallback_of(std::string_view text) {
    const auto* const word = std::ranges::find(fallback_words, text, &Word<LimitFallback>::word);
    return word == fallback_words.end() ? std::nullopt : std::optional(word->meaning);
}

// What a row does with the member of Limits that it is of.
template <auto member, auto parse>
bool set_member(Limits& limits, std::string_view text) {
    const auto value = parse(text);
    if (value) limits.*member = value;
    return value.has_value();
}

template <auto member>
void merge_member(Limits& under, const Limits& upper) {
    if (upper.*member) under.*member = upper.*member;
}

template <auto member, auto print>
std::string text_of(const Limits& limits) {
    return limits.*member ? print(*(limits.*member)) : std::string();
}

void read_number_or_word(const LimitKey& key, const ConfigValue& value, Limits& limits) {
    const std::string text = value.is_number()   ? format("{}", value.as_number())
                             : value.is_string() ? value.as_string()
                                                 : std::string();
    if (!key.set(limits, text))
        throw value.error(format("{} cannot be {}", value.path(), value.found()), std::string(key.right));
}

template <auto member>
void read_time(const LimitKey&, const ConfigValue& value, Limits& limits) {
    limits.*member = read_duration(value);
}

std::string plain(std::uint64_t number) {
    return format("{}", number);
}
std::string cores(std::uint32_t thousandths) {
    return format("{}", thousandths / 1000.0);
}
std::string seconds(std::chrono::seconds time) {
    return format("{}s", time.count());
}
std::string fallback_word(LimitFallback fallback) {
    return std::string(word_for(fallback, fallback_words));
}

constexpr Shape whole = shape::whole_from(1, INT64_MAX);
constexpr Shape digits = shape::text_like("^0*[1-9][0-9]*$");
constexpr Shape bytes = shape::text_like("^0*[1-9][0-9]*[KMGT]?$");
constexpr Shape percent = shape::text_like("^[0-9.]+%?$");
constexpr Shape weight = shape::whole_from(1, heaviest);

using enum Presence;

constexpr std::array keys = {
    LimitKey{{"pids", shape::either(whole, digits), {}, optional, Effect::none, "Processes and threads at one time"},
             "a number of processes, 1 or more: 4000",
             set_member<&Limits::pids, count_of>,
             read_number_or_word,
             merge_member<&Limits::pids>,
             text_of<&Limits::pids, plain>},
    LimitKey{
        {"memory", shape::either(bytes, whole), {}, optional, Effect::none, "Bytes of all together, page cache too"},
        "bytes with K, M, G or T, powers of 1024: \"3G\"",
        set_member<&Limits::memory, bytes_of>,
        read_number_or_word,
        merge_member<&Limits::memory>,
        text_of<&Limits::memory, bytes_text>},
    LimitKey{{"cpu", shape::either(shape::number, percent), {}, optional, Effect::none, "Cores that it may use"},
             "a number of cores, or hundredths of one with %: 2.5, \"250%\"",
             set_member<&Limits::cpu, cores_of>,
             read_number_or_word,
             merge_member<&Limits::cpu>,
             text_of<&Limits::cpu, cores>},
    LimitKey{{"io-weight", shape::either(weight, digits), {}, optional, Effect::none, "Its share of a busy disk"},
             "a number from 1 to 10000, where others have 100",
             set_member<&Limits::io_weight, weight_of>,
             read_number_or_word,
             merge_member<&Limits::io_weight>,
             text_of<&Limits::io_weight, plain>},
    LimitKey{{"time", duration_shape, {}, optional, Effect::none, "How long it may take"},
             time_help,
             set_member<&Limits::time, duration_of>,
             read_time<&Limits::time>,
             merge_member<&Limits::time>,
             text_of<&Limits::time, seconds>},
    LimitKey{{"idle", duration_shape, {}, optional, Effect::none, "How long it may be silent"},
             time_help,
             set_member<&Limits::idle, duration_of>,
             read_time<&Limits::idle>,
             merge_member<&Limits::idle>,
             text_of<&Limits::idle, seconds>},
    LimitKey{{"fallback", shape::one_of(fallback_names), "\"refuse\"", optional, Effect::none,
              "What becomes of limits without a cgroup to keep them"},
             "\"refuse\" or \"rlimits\"",
             set_member<&Limits::fallback, fallback_of>,
             read_number_or_word,
             merge_member<&Limits::fallback>,
             text_of<&Limits::fallback, fallback_word>},
};
static_assert(std::ranges::all_of(keys, is_complete, &LimitKey::info));

}  // namespace

std::span<const LimitKey> limit_keys() {
    return keys;
}

std::vector<KeyInfo> limit_infos() {
    return infos_of(keys);
}

void set_limit(Limits& limits, std::string_view name, std::string_view text) {
    const LimitKey* const key = find_row(limit_keys(), name);
    if (key == nullptr) {
        throw std::invalid_argument(
            format("there is no limit {}; there are {}", quote(name), list_words(names_in(keys))));
    }
    if (!key->set(limits, text)) {
        throw std::invalid_argument(format("{} is not right for the limit {}: {}", quote(text), name, key->right));
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
    for_each_key(table, keys,
                 [&](const LimitKey& key, const ConfigEntry& entry) { key.read(key, entry.value, limits); });
}

Limits merge_limits(const Limits& under, const Limits& upper) {
    Limits merged = under;
    for (const LimitKey& key : keys) key.merge(merged, upper);
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
    for (const LimitKey& key : keys) {
        const std::string value = key.text(limits);
        if (!value.empty()) os::append_part(text, ", ", format("{} {}", key.info.name, value));
    }
    return text;
}

}  // namespace sandbox
