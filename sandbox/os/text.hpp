// Words for people: what a terminal may show, quotes, lists, slips of the hand, sizes and times. Each is here and
// nowhere else. Knows nothing of files, and nothing of who asks.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sandbox::os {

// The text as a terminal and a CI system may show it: control characters other than tabs and characters that turn the
// direction of writing become "?", and so does a sign of what a CI system would obey ("::error::" at a line's head);
// bytes that are not UTF-8 become U+FFFD. Neither a payload's output nor the name of a file that it made gets to steer
// the user's terminal. For one line: a newline is a control character.
std::string printable(std::string_view text);
// A line that a program printed, in the same way, but its escape sequences are left out as a whole. Colours can be
// kept: they end with the line.
enum class Colours : bool { dropped, kept };
std::string printable_output(std::string_view line, Colours colours);
// The same, one element for each character, all of them one column wide: bytes that are not UTF-8 are "?" here.
std::vector<std::string_view> printable_characters(std::string_view text);
// A name in printable ASCII, from which it can be told what it was: other bytes are written "\x1b".
std::string plain(std::string_view name);

// In double quotes, control characters escaped, cut where it is very long: safe to print.
std::string quote(std::string_view text);
// At most `most` bytes of it, whole characters: what is left out of the middle is an ellipsis. The name of a path keeps
// its head and its end so.
std::string shortened(std::string_view text, std::size_t most);
// A word for a command line that is shown and pasted into a shell; in single quotes where it needs them.
std::string shell_word(std::string_view word);
// A whole command line.
std::string shell_words(std::span<const std::string> words);

// Puts `between` before the part, unless the part is the first.
void append_part(std::string& text, std::string_view between, std::string_view part);
// The parts, any range of strings, with `between` between them.
template <class Parts>
std::string join(const Parts& parts, std::string_view between = ", ") {
    std::string text;
    bool is_first = true;
    for (const auto& part : parts) {
        if (!is_first) text += between;
        text += part;
        is_first = false;
    }
    return text;
}
// "a", "b" or "c".
std::string list_choices(std::span<const std::string_view> words);
// a, b and c; any range of strings that knows its size.
template <class Words>
std::string list_words(const Words& words) {
    std::string text;
    std::size_t left = words.size();
    for (const auto& word : words) append_part(text, --left == 0 ? " and " : ", ", word);
    return text;
}

// The lines without their newlines. They point into `text`.
std::vector<std::string_view> lines(std::string_view text);

// The candidate that is near enough to `word` to be a slip of the hand; empty where none is.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);
// The same as a sentence: did you mean "from"? Empty where none is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

// "512 B", "1.5 GB": powers of 1000.
std::string human_bytes(double bytes);
// "3.2 s", "12:05 min".
std::string human_seconds(double seconds);

}  // namespace sandbox::os
