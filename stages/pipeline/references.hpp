// What stages say about each other: that the named stages and artifacts exist and can be used so, and that no
// stage needs itself. Knows nothing of TOML but the positions.
#pragma once
#include "sandbox/config/config.hpp"
#include "stages/pipeline/local_files.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace stages {

// Throws ConfigError for the first fault in the order of the file; for a cycle only where every name is
// right.
void check_references(const Pipeline& pipeline, const sandbox::ConfigSource& source, const LocalFiles& files);

}  // namespace stages
