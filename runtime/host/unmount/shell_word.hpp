// A word for a command line that is shown and pasted into a shell.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>

namespace runtime::host {

inline std::string shell_word(const std::string& word) {
    const bool is_plain = std::ranges::all_of(word, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("/._-+:@%,").find(c) != std::string_view::npos;
    });
    if (is_plain) return word;
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

}  // namespace runtime::host
