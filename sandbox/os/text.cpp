#include "sandbox/os/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>

#include "sandbox/os/format.hpp"

namespace sandbox::os {
namespace {

constexpr std::size_t longest_quote = 80;
constexpr std::size_t longest_word = 64;

bool is_continuation(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

// Part of a character, and none by itself.
bool is_no_ascii(char byte) {
    return static_cast<unsigned char>(byte) >= 0x80U;
}

// The length of the UTF-8 sequence at the head of `text`, by its first byte; 1 where it is none.
std::size_t sequence_length(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t length = first >= 0xF0U ? 4 : first >= 0xE0U ? 3 : first >= 0xC0U ? 2 : 1;
    if (length > text.size()) return 1;
    return std::ranges::all_of(text.substr(1, length - 1), is_continuation) ? length : 1;
}

std::uint32_t code_point(std::string_view sequence) {
    const auto first = static_cast<unsigned char>(sequence.front());
    if (sequence.size() == 1) return first;
    std::uint32_t value = first & (0x7FU >> sequence.size());
    for (const char byte : sequence.substr(1)) value = value << 6U | (static_cast<unsigned char>(byte) & 0x3FU);
    return value;
}

bool may_be_shown(std::string_view sequence) {
    const std::uint32_t value = code_point(sequence);
    if (sequence.size() == 1) return value == '\t' || (value >= 0x20 && value < 0x7F);
    const bool control = value < 0xA0;
    const bool direction = (value >= 0x202A && value <= 0x202E) || (value >= 0x2066 && value <= 0x2069);
    return !control && !direction;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Insertions, deletions, changes and swaps of neighbours that make one word of the other, case aside
// ("optimal string alignment").
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last.swap(last);
        last.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
            const bool swapped =
                i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
    }
    return row[b.size()];
}

}  // namespace

std::vector<std::string_view> printable_characters(std::string_view text) {
    std::vector<std::string_view> characters;
    characters.reserve(text.size());
    while (!text.empty()) {
        const std::string_view sequence = text.substr(0, sequence_length(text));
        characters.push_back(may_be_shown(sequence) ? sequence : std::string_view("?"));
        text.remove_prefix(sequence.size());
    }
    return characters;
}

std::string printable(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const std::string_view sequence = text.substr(0, sequence_length(text));
        const bool is_broken = sequence.size() == 1 && is_no_ascii(sequence.front());
        result += may_be_shown(sequence) ? sequence : std::string_view(is_broken ? "\ufffd" : "?");
        text.remove_prefix(sequence.size());
    }
    return result;
}

std::string plain(std::string_view name) {
    std::string text;
    for (const char c : name) {
        if (c >= ' ' && c <= '~') {
            text += c;
        } else {
            text += format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return text;
}

std::string quote(std::string_view text) {
    std::string result = "\"";
    std::size_t shown = 0;
    while (!text.empty()) {
        if (++shown > longest_quote) {
            result += "…";
            break;
        }
        const std::string_view sequence = text.substr(0, sequence_length(text));
        text.remove_prefix(sequence.size());
        if (sequence == "\n") {
            result += "\\n";
        } else if (sequence == "\t") {
            result += "\\t";
        } else if (may_be_shown(sequence)) {
            if (sequence == "\"" || sequence == "\\") result += '\\';
            result += sequence;
        } else {
            result += format("\\u{:04X}", code_point(sequence));
        }
    }
    return result + '"';
}

std::string shell_word(std::string_view word) {
    static constexpr std::string_view plain_signs = "/._-+:@%,";
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               plain_signs.find(c) != std::string_view::npos;
    };
    if (!word.empty() && std::ranges::all_of(word, is_plain)) return std::string(word);
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

std::string shell_words(std::span<const std::string> words) {
    std::string text;
    for (const std::string& word : words) append_part(text, " ", shell_word(word));
    return text;
}

void append_part(std::string& text, std::string_view between, std::string_view part) {
    if (!text.empty()) text += between;
    text += part;
}

std::vector<std::string_view> lines(std::string_view text) {
    std::vector<std::string_view> all;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        all.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return all;
}

std::string list_choices(std::span<const std::string_view> words) {
    std::string result;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) result += i + 1 == words.size() ? " or " : ", ";
        result += quote(words[i]);
    }
    return result;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.size() > longest_word) return {};
    std::string_view best;
    // One slip in three letters, and at least one: "fro" is "from", "x" is nothing.
    std::size_t allowed = std::max<std::size_t>(1, word.size() / 3);
    if (word.size() < 2) return {};
    for (const std::string_view candidate : candidates) {
        if (candidate.size() > word.size() + allowed || word.size() > candidate.size() + allowed) continue;
        const std::size_t distance = edit_distance(word, candidate);
        if (distance > allowed || (distance == allowed && !best.empty())) continue;
        best = candidate;
        allowed = distance;
    }
    return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
    const std::string_view candidate = nearest(word, candidates);
    return candidate.empty() ? std::string() : format("did you mean {}?", quote(candidate));
}

std::string human_bytes(double bytes) {
    const char* units[] = {"B", "kB", "MB", "GB", "TB"};
    std::size_t unit = 0;
    while (bytes >= 1000 && unit + 1 < std::size(units)) {
        bytes /= 1000;
        ++unit;
    }
    return unit == 0 ? format("{:.0f} B", bytes) : format("{:.1f} {}", bytes, units[unit]);
}

std::string human_seconds(double seconds) {
    if (seconds < 60) return format("{:.1f} s", seconds);
    const long whole = std::lround(seconds);
    return format("{}:{:02} min", whole / 60, whole % 60);
}

}  // namespace sandbox::os
