// What a pipeline says is to happen when a stage fails: error modes, retries. Values and rules; how a class is found
// out is runtime/engine/classify.hpp's.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stages/pipeline/failure_classes.hpp"

namespace stages {

// What a stage's failure means for the rest of the build.
enum class ErrorMode : std::uint8_t {
    graceful,    // what needs the stage is skipped, all else goes on
    strict,      // running stages are stopped, nothing else starts
    permissive,  // as graceful; of a stage that is optional, the build does not count as failed
};

// "network", "hash-mismatch", "no-space" ...: as pipeline files, reports and events have them.
std::string_view name_of(FailureClass failure);
std::string_view name_of(ErrorMode mode);
// One that `retry.on` can name; nothing for any other word.
std::optional<FailureClass> retryable_class(std::string_view name);

// `retry` as a pipeline file has it: what it does not say is as built in.
struct Retry {
    std::optional<std::vector<FailureClass>> on;
    std::optional<unsigned> max;               // attempts, the first one counted
    std::optional<std::chrono::seconds> wait;  // before the second; doubled before each further one
};

enum class HasNetwork : std::uint8_t { no, yes };

// How often a stage that fails so is attempted, the first time counted: 1 where it is not tried again. Built in:
// network 3, hash-mismatch 2. Neither is tried again without a network, which could give nothing else.
unsigned attempts_for(FailureClass failure, const Retry& retry, HasNetwork network);
// How long to wait before attempt `next` (2, 3, ...): `wait`, 5 s if not said, doubled each time, at most 5 minutes,
// and up to a quarter longer by `jitter` (0 to 1), so that stages that failed together do not come back together.
std::chrono::milliseconds pause_before(unsigned next, const Retry& retry, double jitter);

// What to do about it, in a sentence; empty where there is nothing to say beyond the failure's own words.
std::string_view advice_for(FailureClass failure, HasNetwork network);

// How long what was asked to end may take, where nothing else was said.
inline constexpr std::chrono::seconds default_grace{10};

// What is to happen when a stage fails, or is to end.
struct FailureRules {
    ErrorMode errors = ErrorMode::graceful;
    bool is_optional = false;
    Retry retry;
    std::vector<std::string> recover;  // a command, run before another attempt in what the last one left; none: empty
    std::chrono::seconds grace = default_grace;  // between SIGTERM and SIGKILL
};

}  // namespace stages
