// What the rules found in scripts, for people and for programs.
#pragma once
#include <string>
#include <vector>

#include "sandbox/os/json.hpp"
#include "stages/script/hazards.hpp"

namespace runtime::script {

using stages::script::Finding;
using stages::script::Script;

struct Found {
    const Script* script = nullptr;
    std::vector<Finding> findings;
};

// By rule, the worst first: FILE:LINE:COLUMN: RULE: COMMAND, then why it is a hazard and what takes its place.
std::string hazards_text(const std::vector<Found>& all);
// {"file", "line", "column", "rule", "harm", "command", "why", "instead"}
sandbox::os::Json to_json(const std::vector<Found>& all);
// "12 hazards: 3 to the session, 4 to the host, 5 of leftovers"
std::string count_text(const std::vector<Found>& all);

}  // namespace runtime::script
