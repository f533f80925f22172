// What a look at the host found that somebody should know.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/os/problem.hpp"

namespace runtime::host {

// harm: a build would damage something, or be damaged; it does not start. warning: said before each build. info: only
// said when it is asked for.
enum class Severity : std::uint8_t { info, warning, harm };

struct Finding {
    Severity severity = Severity::info;
    std::string topic;  // one word: session, builder, leftover, space, permission
    sandbox::os::Problem problem;

    Finding(Severity how_bad, std::string about, std::string what, std::string remedy = {})
        : Finding(how_bad, std::move(about), sandbox::os::Problem{std::move(what), std::move(remedy)}) {}
    Finding(Severity how_bad, std::string about, sandbox::os::Problem found)
        : severity(how_bad), topic(std::move(about)), problem(std::move(found)) {}
};

using Findings = std::vector<Finding>;

}  // namespace runtime::host
