// A word of the command line that nothing takes: what it is told. Knows nothing of the commands there are.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace runtime::cli {

// A word that was a command's name, and is none now.
struct FormerName {
    std::string was;
    std::string is;
};

// The command that was reached, as it is typed, and what may follow it.
struct KnownWords {
    std::string command;                // "stagebox store"
    std::vector<std::string> commands;  // "ls", "gc"
    std::vector<FormerName> former_names;
    std::vector<std::string> options;  // "--store"; the long ones
};

// One sentence without its full stop: which command does not take it, and which word may have been meant.
std::string unknown_word(const KnownWords& known, std::string_view word);

}  // namespace runtime::cli
