// `profile learn`: the smallest profile under which a command, or a stage's command, would have run the same.
#pragma once
#include <string>
#include <vector>

namespace runtime::cli {

// What it is told.
struct LearnRequest {
    std::string output = "learned.toml";
    std::string pipeline;              // with -f
    std::string allow;                 // with -f: what the stage may have beyond its jail
    std::vector<std::string> command;  // of run: its options too; with -f: the stage
};

// Its own options come first, and what follows is run's. Throws std::invalid_argument.
LearnRequest parse_learn(const std::vector<std::string>& words);

}  // namespace runtime::cli
