// What a look at the host found that somebody should know.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace runtime::host {

// harm: a build would damage something, or be damaged; it does not start. warning: said before each build. info: only said
// when it is asked for.
enum class Severity : std::uint8_t { info, warning, harm };

struct Finding {
    Severity severity = Severity::info;
    std::string topic;  // one word: session, builder, leftover, space, permission
    std::string text;
    std::string remedy = {};  // a command, where there is one
};

using Findings = std::vector<Finding>;

}  // namespace runtime::host
