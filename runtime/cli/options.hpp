// What a command can be told: a table with a row for each option and each word that has no name. Its reader, its help
// and the hints of its errors come from that table.
#pragma once
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace runtime::cli {

// Whom a command prints for: people, or programs (--json).
enum class OutputFormat : unsigned char { text, json };

struct Option {
    std::string names;  // "-f,--file"; of a word that has no name, what stands for it: "STAGE"
    // Where the value goes: the place lives as long as the command. A function is called where the option, which has no
    // value then, is given. A list takes a value each time that its option is given; a list without a name takes all
    // words.
    std::variant<std::function<void()>, unsigned*, std::string*, std::vector<std::string>*> into;
    std::string doc;
    std::string type = {};  // what stands for the value in the help: "FILE"
    std::string shown_default = {};
    std::string excludes = {};  // an option before this one that cannot be given with it
    std::string needs = {};     // an option before this one that it cannot be given without
    bool is_required = false;
    // Says what is wrong with a value; nothing is where the answer is empty.
    std::string (*check)(const std::string& value) = nullptr;
};

using Options = std::vector<Option>;

// For an option without a value: what is to be `value` where it is given.
template <class Value>
std::function<void()> sets(Value& place, Value value) {
    return [&place, value] { place = value; };
}

// --json, as every command has it that can print for programs.
void declare_json(Options& options, OutputFormat& output, const std::string& needs = {});
// --store, as every command has it that uses one.
void declare_store(Options& options, std::string& store);

// For Option::check.
std::string check_whole_number(const std::string& text);

}  // namespace runtime::cli
