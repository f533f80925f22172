// `check` of the stages' own scripts: which commands of them a jail will refuse. What is a hazard on a host and
// harmless in a jail is not told.
#pragma once
#include <string>

#include "runtime/engine/profiles.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace runtime::script {

// Lines for a person, each ended by a newline; empty where there is nothing to say. Stage scripts that are for a shell,
// and commands such as ["sh", "-c", "..."]. Where shfmt is missing and there are such scripts, one line says so.
std::string stage_warnings(const stages::Pipeline& pipeline, engine::Profiles& profiles);

}  // namespace runtime::script
