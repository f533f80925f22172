// `shell STAGE`: the stage's jail with a terminal, as it was before its command, or as the command left it. What it
// changes is discarded.
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/pipeline_words.hpp"
#include "runtime/jail/foreground.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::cli {

using engine::ShellAt;
using sandbox::os::format;

namespace {

struct ShellWords {
    PipelineWords pipeline;
    std::string stage;
    std::vector<std::string> allow;
    ShellAt at = ShellAt::before;
};

void declare(Options& options, ShellWords& words) {
    declare_pipeline(options, words.pipeline);
    declare_stage(options, words.stage);
    declare_allow(options, words.allow);
    options.push_back({.names = "--before",
                       .into = sets(words.at, ShellAt::before),
                       .doc = "As it is before the stage's command (the default)"});
    options.push_back({.names = "--failed",
                       .into = sets(words.at, ShellAt::failed),
                       .doc = "As the command left it when it last failed",
                       .excludes = "--before"});
}

int run(const ShellWords& words) {
    const engine::Permit permit = permit_with(words.allow);
    const auto stand_in = [&](stages::kinds::Lowered& lowered) {
        std::string command;
        for (const std::string& word : lowered.command.argv) command += " " + word;
        std::cerr << format("stage {}, as {}; its command is:{}\n", words.stage,
                            words.at == ShellAt::failed ? "its command left it" : "it is before its command", command);
        lowered.command.argv = {"/bin/sh", "-c", "if command -v bash >/dev/null; then exec bash; else exec sh; fi"};
        if (::isatty(0) == 1) {
            const char* term = std::getenv("TERM");
            lowered.command.env.emplace_back("TERM", term == nullptr ? "dumb" : term);
            return jail::run_on_terminal(lowered.spec, lowered.command);
        }
        return jail::run_in_foreground(lowered.spec, lowered.command);
    };
    return engine::in_stage(words.pipeline.options(), words.stage, words.at, permit, stand_in);
}

}  // namespace

Command shell_command() {
    return make_command<ShellWords>("shell", "A terminal in a stage's jail; what it changes is discarded");
}

}  // namespace runtime::cli
