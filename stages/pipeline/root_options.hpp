// The keys of a stage that say what it sees and what it leaves: from, in, out. Each is read for itself: whether the
// stages that it names exist is a matter of pipeline/references.hpp.
#pragma once
#include <string>
#include <vector>

#include "sandbox/config/config.hpp"
#include "stages/pipeline/local_files.hpp"
#include "stages/pipeline/pipeline.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

Root read_root(const sandbox::ConfigValue& value, const Variables& variables);
std::vector<Input> read_inputs(const sandbox::ConfigTable& table, const Variables& variables, const LocalFiles& files);
std::vector<Output> read_outputs(const sandbox::ConfigTable& table, const Variables& variables);

// "stage.artifact", both names well formed; throws for anything else.
ArtifactTree read_artifact(const sandbox::ConfigValue& value, const std::string& text);

}  // namespace stages
