// What common tools say when they fail for a reason that has a class: data, one line a saying. Used last, where no fact
// says why a command failed: words are chosen by programs, and by whoever writes what they print.
#pragma once
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "stages/pipeline/failure_policy.hpp"

namespace runtime::engine {

// A line that has both texts, the second after the first; an empty one is in every line.
struct OutputPattern {
    std::string_view tool;
    stages::FailureClass failure;
    std::string_view text;
    std::string_view after = {};
};

std::span<const OutputPattern> output_patterns();

struct OutputMatch {
    const OutputPattern* pattern = nullptr;
    std::string line;
};
// The last line that has a pattern: what came last is nearest to the end. Nothing where none has.
std::optional<OutputMatch> match_output(const std::deque<std::string>& lines);

}  // namespace runtime::engine
