// What stages need from the host, looked for before the first stage runs.
#pragma once
#include <string>
#include <vector>

#include "stages/pipeline/pipeline.hpp"

namespace runtime::supervisor {

struct MissingNeed {
    std::string stage;
    std::string what;
    std::string package;
};

// Programs are looked for in /usr/sbin, /usr/bin, /sbin and /bin, as in a jail.
std::vector<MissingNeed> missing_needs(const std::vector<const stages::Stage*>& stages);
// One text for all: what each stage lacks, and the one command that brings it.
std::string to_text(const std::vector<MissingNeed>& missing);

}  // namespace runtime::supervisor
