// Reads the words of a command line by the tables of the commands. The one place that knows CLI11. Prints and runs
// nothing.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "runtime/cli/command.hpp"
#include "runtime/cli/unknown_word.hpp"

namespace runtime::cli {

// Commands that have their first word in common, as "store gc" and "store ls" do.
struct Group {
    const char* name;
    const char* doc;
};

struct Vocabulary {
    std::vector<Command> commands;
    std::vector<Group> groups;
    std::vector<FormerName> former_names;
};

// What was asked for is a text: a help, the version.
struct Answer {
    std::string text;
};
// Nothing but a command is missing: the help that names those that there are.
struct Incomplete {
    std::string help;
};
// What is wrong with the words, and where to look: lines of an error.
struct Wrong {
    std::string problem;
};
// The command to be run, which has been told its options; of those that were handed in.
using Parsed = std::variant<const Command*, Answer, Incomplete, Wrong>;

Parsed parse(const Vocabulary& vocabulary, const std::vector<std::string>& words);

}  // namespace runtime::cli
