// The help of the commands that read their words themselves, from the rows of their options.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace runtime::cli {

struct HelpRow {
    std::string_view name;    // "--bind"
    std::string_view values;  // "SRC DEST": a word for each value that it takes
    std::string_view doc;
};

// The lines of the help, each at most 120 columns wide. Options that take the same and say the same stand together,
// where the first of them is; one that says nothing is left out.
std::string help_of_rows(const std::vector<HelpRow>& rows);

// How many words there are, each followed by a space or the end.
int count_words(std::string_view text);

}  // namespace runtime::cli
