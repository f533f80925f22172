#include "runtime/cli/help_rows.hpp"

#include <algorithm>

#include "sandbox/os/text.hpp"

namespace runtime::cli {
namespace {

constexpr std::size_t doc_column = 25;
constexpr std::size_t width = 120;

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        if (end > 0) words.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

// The words, a space between each two, in lines that each begin at this column; without the spaces before the first.
std::string wrapped(const std::vector<std::string_view>& words, std::size_t column) {
    std::string text;
    std::size_t at = column;
    for (const std::string_view word : words) {
        if (at > column && at + 1 + word.size() > width) {
            text += "\n" + std::string(column, ' ');
            at = column;
        } else if (at > column) {
            text += ' ';
            ++at;
        }
        text += word;
        at += word.size();
    }
    return text;
}

std::string entry(const std::string& left, std::string_view doc) {
    std::string text = "  " + wrapped(words_of(left), 2);
    if (text.size() >= doc_column) text += "\n";
    const std::size_t used = text.size() - (text.rfind('\n') + 1);  // npos + 1 is 0
    return text + std::string(doc_column - used, ' ') + wrapped(words_of(doc), doc_column) + "\n";
}

}  // namespace

std::string help_of_rows(const std::vector<HelpRow>& rows) {
    std::string text;
    for (auto row = rows.begin(); row != rows.end(); ++row) {
        const auto is_alike = [&](const HelpRow& other) {
            return other.doc == row->doc && other.values == row->values;
        };
        if (row->doc.empty() || std::any_of(rows.begin(), row, is_alike)) continue;
        std::string left;
        for (auto other = row; other != rows.end(); ++other) {
            if (is_alike(*other)) sandbox::os::append_part(left, ", ", other->name);
        }
        if (!row->values.empty()) left += " " + std::string(row->values);
        text += entry(left, row->doc);
    }
    return text;
}

int count_words(std::string_view text) {
    return static_cast<int>(words_of(text).size());
}

}  // namespace runtime::cli
