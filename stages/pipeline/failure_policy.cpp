#include "stages/pipeline/failure_policy.hpp"

#include <algorithm>
#include <array>

namespace stages {
namespace {

using namespace std::chrono_literals;

// In the order of the enumeration.
constexpr std::array<std::string_view, 15> class_names = {
    "network",     "hash-mismatch", "no-space",          "out-of-memory", "wall-time", "idle-time",
    "denied-call", "signal",        "command-not-found", "script-error",  "service",   "output",
    "pin",         "jail",          "interrupted"};
constexpr std::size_t retryable_count = 11;

constexpr unsigned built_in_most = 3;
constexpr std::chrono::seconds built_in_wait = 5s;
constexpr std::chrono::milliseconds longest_wait = 5min;

bool needs_network(FailureClass failure) {
    return failure == FailureClass::network || failure == FailureClass::hash_mismatch;
}

// A server that does not answer may in a minute. One that gives a wrong file is being changed, or has it wrong: once more,
// and no more load.
unsigned built_in_attempts(FailureClass failure) {
    if (failure == FailureClass::network) return built_in_most;
    return failure == FailureClass::hash_mismatch ? 2 : 1;
}

}  // namespace

std::string_view name_of(FailureClass failure) {
    return class_names.at(static_cast<std::size_t>(failure));
}

std::string_view name_of(ErrorMode mode) {
    switch (mode) {
        case ErrorMode::graceful: return "graceful";
        case ErrorMode::strict: return "strict";
        case ErrorMode::permissive: return "permissive";
    }
    return "";
}

std::span<const std::string_view> retryable_classes() {
    return std::span(class_names).first(retryable_count);
}

std::optional<FailureClass> retryable_class(std::string_view name) {
    const auto names = retryable_classes();
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) return std::nullopt;
    return static_cast<FailureClass>(found - names.begin());
}

unsigned attempts_for(FailureClass failure, const Retry& retry, HasNetwork network) {
    if (static_cast<std::size_t>(failure) >= retryable_count) return 1;
    if (needs_network(failure) && network == HasNetwork::no) return 1;
    if (retry.on) {
        return std::ranges::find(*retry.on, failure) == retry.on->end() ? 1 : retry.max.value_or(built_in_most);
    }
    const unsigned attempts = built_in_attempts(failure);
    return attempts == 1 ? 1 : retry.max.value_or(attempts);
}

std::chrono::milliseconds pause_before(unsigned next, const Retry& retry, double jitter) {
    std::chrono::milliseconds pause = retry.wait.value_or(built_in_wait);
    for (unsigned attempt = 2; attempt < next && pause < longest_wait; ++attempt) pause *= 2;
    pause = std::min(pause, longest_wait);
    return pause +
           std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(pause.count()) * jitter / 4));
}

std::string_view advice_for(FailureClass failure, HasNetwork network) {
    switch (failure) {
        case FailureClass::network:
            return network == HasNetwork::no
                       ? "the stage has no network: give it network = \"user\" or \"host\", or what it fetches as an "
                         "input"
                       : "look whether the server can be reached from here; `retry` tries more often";
        case FailureClass::hash_mismatch:
            return "the file is not the one that was announced: a mirror in change, a proxy in between, or a wrong "
                   "digest";
        case FailureClass::no_space:
            return "make room: `stagebox store gc` deletes what no build has used lately; /tmp in a jail is memory";
        case FailureClass::out_of_memory:
            return "raise limits.memory of the stage, or run fewer stages at a time with --jobs";
        case FailureClass::wall_time: return "raise limits.time of the stage";
        case FailureClass::idle_time: return "raise limits.idle of the stage, or let its command say what it does";
        case FailureClass::denied_call:
            return "its profile denies a system call that it makes: the lines on denials name what would allow it";
        case FailureClass::signal:
            return "a crash of the program: the same again in `stagebox shell --failed` shows where";
        case FailureClass::command_not_found:
            return "the stage's root does not have the program, or not under that name";
        case FailureClass::service:
            return "its log has the rest; `timeout` of the service is the time that it gets to be ready";
        case FailureClass::script_error:
        case FailureClass::output:
        case FailureClass::pin:
        case FailureClass::jail:
        case FailureClass::interrupted: return {};
    }
    return {};
}

}  // namespace stages
