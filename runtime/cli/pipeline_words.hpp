// Which pipeline a command is about, as it is told.
#pragma once
#include <string>
#include <vector>

#include "runtime/cli/options.hpp"
#include "runtime/consent/consent.hpp"
#include "runtime/engine/stage_visit.hpp"

namespace runtime::cli {

struct PipelineWords {
    std::string file;               // empty: the one that is found, here or above
    std::vector<std::string> vars;  // each NAME=VALUE
    std::string store;              // empty: the default

    // Looks for the file where none is named; throws ConfigError where there is none.
    [[nodiscard]] engine::PipelineOptions options() const;
};

// --file and --var.
void declare_file(Options& options, PipelineWords& words);
// Those and --store.
void declare_pipeline(Options& options, PipelineWords& words);
// --allow, of commands that run stages.
void declare_allow(Options& options, std::vector<std::string>& allow);
// STAGE, which must be given.
void declare_stage(Options& options, std::string& stage);

// Obtains what one stage asks for, and says it on standard error.
engine::Permit permit_with(const std::vector<std::string>& allow);

}  // namespace runtime::cli
