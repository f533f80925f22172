// The words of configuration errors: quoting, lists, "did you mean". Knows nothing of files or of TOML.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sandbox {

// In double quotes, control characters escaped, cut where it is very long: safe to print.
std::string quote(std::string_view text);
// "a", "b" or "c".
std::string list_choices(std::span<const std::string_view> words);
// a, b and c.
std::string list_words(std::span<const std::string_view> words);

// The candidate that is near enough to `word` to be a slip of the hand; empty where none is.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);
// The same as a sentence: did you mean "from"? Empty where none is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

// One element for each character of `text` as a terminal may show it: control characters, bytes that are not
// UTF-8 and characters that turn the direction of writing become "?"; a tab stays.
std::vector<std::string_view> printable_characters(std::string_view text);
// The same, joined; a tab becomes a space.
std::string printable(std::string_view text);

}  // namespace sandbox
