#include "sandbox/os/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <utility>

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

std::uint32_t code_point(std::string_view sequence) {
    const auto first = static_cast<unsigned char>(sequence.front());
    if (sequence.size() == 1) return first;
    std::uint32_t value = first & (0x7FU >> sequence.size());
    for (const char byte : sequence.substr(1)) value = value << 6U | (static_cast<unsigned char>(byte) & 0x3FU);
    return value;
}

// The length of the UTF-8 sequence at the head of `text`, by its first byte; 1 where it is none: RFC 3629 has no longer
// forms of what has a shorter one, no surrogates, and nothing beyond U+10FFFF.
std::size_t sequence_length(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t length = first >= 0xF0U ? 4 : first >= 0xE0U ? 3 : first >= 0xC0U ? 2 : 1;
    if (length == 1 || length > text.size() || first >= 0xF8U) return 1;
    if (!std::ranges::all_of(text.substr(1, length - 1), is_continuation)) return 1;
    constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const std::uint32_t value = code_point(text.substr(0, length));
    const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
    return value >= least[length] && value <= 0x10FFFF && !is_surrogate ? length : 1;
}

bool may_be_shown(std::string_view sequence) {
    const std::uint32_t value = code_point(sequence);
    if (sequence.size() == 1) return value == '\t' || (value >= 0x20 && value < 0x7F);
    const bool control = value < 0xA0;
    // U+2028 and U+2029 end a line for some who show one; the others are those of UAX #9.
    const bool direction = value == 0x061C || value == 0x200E || value == 0x200F ||
                           (value >= 0x2028 && value <= 0x202E) || (value >= 0x2066 && value <= 0x2069);
    return !control && !direction;
}

// The white space that a CI system may skip at the head of a line (White_Space in the UCD, without what ends a line).
bool is_space(std::uint32_t value) {
    return value == ' ' || value == '\t' || value == 0xA0 || value == 0x1680 || (value >= 0x2000 && value <= 0x200A) ||
           value == 0x202F || value == 0x205F || value == 0x3000;
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Commands of CI systems in what a program prints: GitHub's "::error::" at a line's head and "##[error]" anywhere,
// "##vso[" of Azure Pipelines and "##teamcity[". One sign of each becomes "?", so that they are text.
std::string without_commands(std::string_view line) {
    std::string text(line);
    std::size_t head = 0;
    while (head < text.size()) {
        const std::size_t length = sequence_length(std::string_view(text).substr(head));
        if (!is_space(code_point(std::string_view(text).substr(head, length)))) break;
        head += length;
    }
    if (text.compare(head, 2, "::") == 0 && head + 2 < text.size() && is_letter(text[head + 2])) text[head] = '?';
    for (std::size_t at = text.find("##"); at != text.npos; at = text.find("##", at + 1)) {
        std::size_t after = at + 2;
        while (after < text.size() && is_letter(text[after])) ++after;
        if (after < text.size() && text[after] == '[') text[at] = '?';
    }
    return text;
}

bool is_between(char c, char least, char most) {
    return c >= least && c <= most;
}

// The length of the escape sequence (ECMA-48, 5.3 to 5.6) at the head of `text`, which begins with ESC; 0 where it does
// not end here.
std::size_t escape_length(std::string_view text) {
    constexpr std::string_view strings = "]PX^_";  // OSC, DCS, SOS, PM, APC
    if (text.size() < 2) return 0;
    if (strings.find(text[1]) != strings.npos) {
        for (std::size_t at = 2; at < text.size(); ++at) {
            if (text[at] == '\a') return at + 1;
            if (text[at] == '\033') return text.substr(at, 2) == "\033\\" ? at + 2 : 0;
        }
        return 0;
    }
    std::size_t at = text[1] == '[' ? 2 : 1;
    if (at == 2) {
        while (at < text.size() && is_between(text[at], '0', '?')) ++at;
    }
    while (at < text.size() && is_between(text[at], ' ', '/')) ++at;
    return at < text.size() && is_between(text[at], '0', '~') ? at + 1 : 0;
}

// Colours and weights: of SGR (ECMA-48, 8.3.117) all but what blinks and what is there and not shown.
bool is_colour(std::string_view escape) {
    if (!escape.starts_with("\033[") || !escape.ends_with('m') || escape.size() > 32) return false;
    const std::string_view parameters = escape.substr(2, escape.size() - 3);
    if (parameters.find_first_not_of("0123456789;") != parameters.npos) return false;
    for (std::size_t at = 0; at < parameters.size();) {
        const std::size_t end = std::min(parameters.find(';', at), parameters.size());
        const std::string_view one = parameters.substr(at, end - at);
        if (one == "38" || one == "48") return true;  // a colour by its numbers, in which 5, 6 and 8 say other things
        const std::size_t digits = std::min(one.find_first_not_of('0'), one.size());
        if (one.substr(digits) == "5" || one.substr(digits) == "6" || one.substr(digits) == "8") return false;
        at = end + 1;
    }
    return true;
}

// Text without its escape sequences, and where the colours among them stood.
struct Uncoloured {
    std::string text;
    std::vector<std::pair<std::size_t, std::string_view>> colours;  // before the byte of that number
};

Uncoloured take_escapes_out(std::string_view line) {
    Uncoloured found;
    while (!line.empty()) {
        const std::size_t plain = std::min(line.find('\033'), line.size());
        found.text += line.substr(0, plain);
        line.remove_prefix(plain);
        if (line.empty()) break;
        const std::size_t length = escape_length(line);
        if (length == 0) {
            found.text += '\033';
            line.remove_prefix(1);
            continue;
        }
        if (is_colour(line.substr(0, length))) found.colours.emplace_back(found.text.size(), line.substr(0, length));
        line.remove_prefix(length);
    }
    return found;
}

// Of one character.
std::string_view shown(std::string_view sequence) {
    if (may_be_shown(sequence)) return sequence;
    const bool is_broken = sequence.size() == 1 && is_no_ascii(sequence.front());
    return is_broken ? "\ufffd" : "?";
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
    const std::string harmless = without_commands(text);
    std::string result;
    result.reserve(text.size());
    for (std::string_view rest = harmless; !rest.empty();) {
        const std::string_view sequence = rest.substr(0, sequence_length(rest));
        result += shown(sequence);
        rest.remove_prefix(sequence.size());
    }
    return result;
}

std::string printable_output(std::string_view line, Colours colours) {
    const Uncoloured bare = take_escapes_out(line);
    if (bare.colours.empty() || colours == Colours::dropped) return printable(bare.text);
    const std::string harmless = without_commands(bare.text);
    std::string result;
    auto colour = bare.colours.begin();
    for (std::size_t at = 0; at < harmless.size();) {
        for (; colour != bare.colours.end() && colour->first <= at; ++colour) result += colour->second;
        const std::string_view rest = std::string_view(harmless).substr(at);
        const std::string_view sequence = rest.substr(0, sequence_length(rest));
        result += shown(sequence);
        at += sequence.size();
    }
    return result + "\033[0m";
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

std::string shortened(std::string_view text, std::size_t most) {
    static constexpr std::string_view ellipsis = "…";
    if (text.size() <= most || most < ellipsis.size()) return std::string(text);
    const std::size_t kept = most - ellipsis.size();
    std::size_t head = kept - kept / 2;
    while (head > 0 && is_continuation(text[head])) --head;
    std::size_t tail = text.size() - kept / 2;
    while (tail < text.size() && is_continuation(text[tail])) ++tail;
    return format("{}{}{}", text.substr(0, head), ellipsis, text.substr(tail));
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
