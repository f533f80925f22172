// What a script says about the commands that stand in it: what a rule may know beside the one that it looks at.
#pragma once
#include <string>
#include <vector>

#include "stages/script/commands.hpp"

namespace stages::script {

struct Surroundings {
    const Script& script;
    // Where the script mounts something, or which root it enters; without a slash at the end.
    std::vector<std::string> mounted;
};
Surroundings surroundings_of(const Script& script);

}  // namespace stages::script
