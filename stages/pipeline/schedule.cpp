#include "stages/pipeline/schedule.hpp"

#include <algorithm>
#include <stdexcept>

#include "sandbox/os/format.hpp"

namespace stages {
namespace {

constexpr std::size_t none = static_cast<std::size_t>(-1);

}  // namespace

std::string_view name_of(StageState state) {
    switch (state) {
        case StageState::waiting: return "waiting";
        case StageState::held: return "held";
        case StageState::running: return "running";
        case StageState::cached: return "cached";
        case StageState::built: return "built";
        case StageState::failed: return "failed";
        case StageState::stopped: return "stopped";
        case StageState::skipped: return "skipped";
    }
    return "";
}

bool is_over(StageState state) {
    return state == StageState::cached || state == StageState::built || state == StageState::failed ||
           state == StageState::stopped || state == StageState::skipped;
}

bool has_result(StageState state) {
    return state == StageState::cached || state == StageState::built;
}

Schedule::Schedule(const Graph& graph, const Pipeline& pipeline, std::span<const std::string> named)
    : graph_(graph),
      pipeline_(pipeline),
      order_(graph.order_for(named)),
      is_named_(graph.size()),
      has_result_line_(graph.size()),
      has_run_(graph.size()),
      states_(graph.size(), StageState::skipped),
      missing_(graph.size()),
      skipped_for_(graph.size(), none),
      open_(order_.size()) {
    for (const std::string& name : named) is_named_[graph.place_of(name)] = 1;
    for (const Result& result : pipeline.results) has_result_line_[graph.place_of(result.stage)] = 1;
    for (const std::size_t place : order_) {
        states_[place] = StageState::waiting;
        missing_[place] = graph.dependencies(place).size();
        if (missing_[place] == 0) ready_.insert(place);
    }
}

// The one place where a state changes, and with it what is counted.
void Schedule::become(std::size_t place, StageState state) {
    const StageState before = states_.at(place);
    if (stages::is_over(before)) {
        throw std::logic_error(
            sandbox::os::format("stage {} is {} already", pipeline_.stages[place].name, name_of(before)));
    }
    if (before == StageState::running) running_.erase(place);
    if (state == StageState::running) running_.insert(place);
    if (state == StageState::waiting) {
        ready_.insert(place);
    } else {
        ready_.erase(place);
    }
    if (stages::is_over(state)) --open_;
    states_[place] = state;
}

void Schedule::start(std::size_t place) {
    if (!ready_.contains(place)) throw std::logic_error("a stage is started before its turn");
    become(place, StageState::running);
    has_run_[place] = 1;
}

void Schedule::hold(std::size_t place) {
    become(place, StageState::held);
}

void Schedule::release(std::size_t place) {
    become(place, StageState::waiting);
}

void Schedule::use_cached(std::size_t place) {
    become(place, StageState::cached);
    give_to_dependents(place);
}

void Schedule::finish(std::size_t place) {
    become(place, StageState::built);
    give_to_dependents(place);
}

void Schedule::end_stopped(std::size_t place) {
    become(place, StageState::stopped);
}

void Schedule::give_to_dependents(std::size_t place) {
    for (const std::size_t other : graph_.dependents(place)) {
        if (states_[other] == StageState::waiting && --missing_[other] == 0) ready_.insert(other);
    }
}

bool Schedule::fail(std::size_t place) {
    become(place, StageState::failed);
    if (!is_tolerated(place)) has_counted_failure_ = true;
    skip_dependents(place);
    if (pipeline_.stages[place].on_failure.errors == ErrorMode::strict && !is_stopping_) stop();
    return is_stopping_;
}

// With a list of its own: a chain of stages may be long.
void Schedule::skip_dependents(std::size_t place) {
    std::vector<std::size_t> open = {place};
    while (!open.empty()) {
        const std::size_t failed = open.back();
        open.pop_back();
        for (const std::size_t other : graph_.dependents(failed)) {
            if (states_[other] != StageState::waiting) continue;
            become(other, StageState::skipped);
            skipped_for_[other] = place;
            open.push_back(other);
        }
    }
}

void Schedule::stop() {
    is_stopping_ = true;
    for (const std::size_t place : order_) {
        if (states_[place] == StageState::waiting || states_[place] == StageState::held) {
            become(place, has_run_[place] != 0 ? StageState::stopped : StageState::skipped);
        }
    }
}

std::optional<std::size_t> Schedule::skipped_for(std::size_t place) const {
    const std::size_t failed = skipped_for_.at(place);
    return failed == none ? std::nullopt : std::optional(failed);
}

bool Schedule::is_tolerated(std::size_t place) const {
    const FailureRules& rules = pipeline_.stages.at(place).on_failure;
    return states_.at(place) == StageState::failed && rules.errors == ErrorMode::permissive && rules.is_optional;
}

bool Schedule::is_owed(std::size_t place) const {
    return is_named_[place] != 0 || (has_result_line_[place] != 0 && !is_tolerated(place));
}

bool Schedule::has_failed() const {
    if (has_counted_failure_) return true;
    return std::ranges::any_of(order_, [&](std::size_t place) {
        const bool is_lost = stages::is_over(states_[place]) && !has_result(states_[place]);
        return is_lost && is_owed(place);
    });
}

}  // namespace stages
