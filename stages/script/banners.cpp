#include "stages/script/banners.hpp"

#include <algorithm>
#include <array>

namespace stages::script {
namespace {

constexpr std::string_view decoration = "#=-*~+_ \t{}<>/|.";

std::string_view trimmed(std::string_view text, std::string_view characters) {
    const std::size_t begin = text.find_first_not_of(characters);
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(characters) - begin + 1);
}

// Nothing but decoration, and enough of it.
bool is_ruler(const Comment& comment) {
    const std::string_view text = trimmed(comment.text, " \t");
    return text.size() >= 5 && text.find_first_not_of("#=-*~+_ ") == text.npos;
}

bool is_decorated(std::string_view text) {
    constexpr std::array<std::string_view, 8> signs{"##", "==", "--", "**", "~~", "++", "#=", "#-"};
    const std::string_view inner = trimmed(text, " \t");
    const auto begins = [&](std::string_view sign) { return inner.starts_with(sign); };
    return std::ranges::any_of(signs, begins) || inner.starts_with("# ") || inner.ends_with("{{{");
}

// "Step 3: ...", "PHASE 1", "Stage two": a word for a part, and more after it.
bool names_part(std::string_view text) {
    constexpr std::array<std::string_view, 4> parts{"step ", "phase ", "stage ", "part "};
    std::string lower(trimmed(text, decoration).substr(0, 8));
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return std::ranges::any_of(parts, [&](std::string_view part) {
        return lower.starts_with(part) && lower.size() > part.size() && lower[part.size()] >= '0' &&
               lower[part.size()] <= '9';
    });
}

}  // namespace

bool has_own_line(const Script& script, const Comment& comment) {
    for (std::size_t i = comment.span.begin; i > 0; --i) {
        const char c = script.text[i - 1];
        if (c == '\n') return true;
        if (c != ' ' && c != '\t') return false;
    }
    return true;
}

std::vector<Banner> find_banners(const Script& script) {
    std::vector<Banner> all;
    const std::vector<Comment>& comments = script.comments;
    const auto is_ruler_at = [&](std::size_t i, unsigned line) {
        return i < comments.size() && comments[i].line == line && is_ruler(comments[i]);
    };
    for (std::size_t i = 0; i < comments.size(); ++i) {
        const Comment& comment = comments[i];
        if (!has_own_line(script, comment) || is_ruler(comment) || comment.text.starts_with('!')) continue;
        const std::string_view title = trimmed(comment.text, decoration);
        if (title.empty()) continue;
        const bool is_framed = (i > 0 && is_ruler_at(i - 1, comment.line - 1)) || is_ruler_at(i + 1, comment.line + 1);
        // "##" at its beginning is "###" in the script.
        const bool is_marked = is_decorated(comment.text) && title.size() < 70;
        if (is_framed || is_marked || names_part(comment.text)) all.push_back({comment.span, std::string(title)});
    }
    return all;
}

}  // namespace stages::script
