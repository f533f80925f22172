// What the rules find in a script: outside of a jail, and as a stage's script.
#pragma once
#include <string>
#include <vector>

#include "stages/pipeline/pipeline.hpp"
#include "stages/script/rules.hpp"

namespace stages::script {

struct Finding {
    const Rule* rule = nullptr;
    Span span;
    Position at;
    std::string command;  // as it is written, on one line
    bool is_verbatim = true;
};

// All that a rule has to say about, in the order of the text; those without harm too.
std::vector<Finding> find_all(const Script& script);
// What can harm a session or its host.
std::vector<Finding> find_hazards(const Script& script);

// What a stage's jail allows beyond the usual.
struct StageTerms {
    bool allows_mounts = false;
    bool allows_namespaces = false;
    bool has_single_id = false;
    bool is_on_host = true;  // its root
};
// What does not work in a stage. What is harmless there, because the jail holds it, is not among it.
std::vector<Finding> find_stage_problems(const Script& script, const StageTerms& terms);

}  // namespace stages::script
