// A command of the program, as a value: its name, what it says of itself, what it can be told and what it does.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/cli/options.hpp"
#include "runtime/report/exit_codes.hpp"

namespace runtime::cli {

using report::ExitCode;

// A command whose options are a table, and stand in any order.
struct Declared {
    std::function<void(Options&)> declare;
    std::function<int()> run;  // when they have been read
};

// A command whose words mean something by their order: it reads them itself.
struct OwnReader {
    int (*run)(const std::vector<std::string>& words);
    std::string (*help)();
};

// What an exception that a command lets through ends with.
struct ErrorCodes {
    int wrong_input = ExitCode::wrong_input;
    int cannot_run = ExitCode::cannot_run;
};

struct Command {
    std::string name;  // as it is typed: "build", "store gc"
    std::string doc;   // one line
    std::variant<Declared, OwnReader> how;
    ErrorCodes codes = {};
};

// `Told`: a struct of what the command can be told, with what it does when it is told nothing. Beside it are
// declare(Options&, Told&), which puts the rows of its options into the table, and run(const Told&), which answers the
// exit code.
template <class Told>
Command make_command(const char* name, const char* doc) {
    const auto told = std::make_shared<Told>();
    return {.name = name,
            .doc = doc,
            .how = Declared{.declare = [told](Options& options) { declare(options, *told); },
                            .run = [told] { return run(std::as_const(*told)); }}};
}

}  // namespace runtime::cli
