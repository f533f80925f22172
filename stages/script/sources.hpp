// Files that a script reads into itself with "." or "source". Says which; opens none.
#pragma once
#include <string>
#include <vector>

#include "stages/script/commands.hpp"

namespace stages::script {

// The file's word; null where the command reads none.
const Word* sourced_file(const Command& command);

// Where it may lie beside the script, as "lib/log.sh": written so, or after one expansion for the script's own
// directory ("$HERE/lib/log.sh", "$(dirname "$0")/lib/log.sh"). Empty: absolute, or not to be known.
std::string path_beside(const Word& file);

// Of all that it reads, each once.
std::vector<std::string> paths_beside(const Script& script);

// As which name a stage's input shows it; empty where the file was not followed (Script::followed).
std::string followed_name(const Word& file, const Script& script);

}  // namespace stages::script
