#include "stages/pipeline/failure_policy.hpp"

#include <algorithm>

namespace stages {
namespace {

using namespace std::chrono_literals;

constexpr unsigned most_named = 3;  // attempts at a class in `retry.on`, where `retry.max` says nothing
constexpr std::chrono::seconds built_in_wait = 5s;
constexpr std::chrono::milliseconds longest_wait = 5min;

}  // namespace

std::string_view name_of(FailureClass failure) {
    return row_of(failure).name;
}

std::string_view name_of(ErrorMode mode) {
    switch (mode) {
        case ErrorMode::graceful: return "graceful";
        case ErrorMode::strict: return "strict";
        case ErrorMode::permissive: return "permissive";
    }
    return "";
}

std::optional<FailureClass> retryable_class(std::string_view name) {
    for (const FailureRow& row : failure_rows) {
        if (is_retryable(row) && row.name == name) return row.kind;
    }
    return std::nullopt;
}

unsigned attempts_for(FailureClass failure, const Retry& retry, HasNetwork network) {
    const FailureRow& row = row_of(failure);
    if (!is_retryable(row)) return 1;
    if (row.of_network == OfNetwork::yes && network == HasNetwork::no) return 1;
    if (retry.on) {
        return std::ranges::find(*retry.on, failure) == retry.on->end() ? 1 : retry.max.value_or(most_named);
    }
    return row.attempts == 1 ? 1 : retry.max.value_or(row.attempts);
}

std::chrono::milliseconds pause_before(unsigned next, const Retry& retry, double jitter) {
    std::chrono::milliseconds pause = retry.wait.value_or(built_in_wait);
    for (unsigned attempt = 2; attempt < next && pause < longest_wait; ++attempt) pause *= 2;
    pause = std::min(pause, longest_wait);
    return pause +
           std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(pause.count()) * jitter / 4));
}

std::string_view advice_for(FailureClass failure, HasNetwork network) {
    const FailureRow& row = row_of(failure);
    const bool is_other = network == HasNetwork::no && !row.advice_without_network.empty();
    return is_other ? row.advice_without_network : row.advice;
}

}  // namespace stages
