#include "stages/pipeline/graph.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <stdexcept>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace stages {
namespace {

template <class Reference>
void add_stage_of(const Reference& reference, std::vector<std::string_view>& names) {
    if (const auto* tree = std::get_if<StageTree>(&reference)) names.emplace_back(tree->stage);
    if (const auto* artifact = std::get_if<ArtifactTree>(&reference)) names.emplace_back(artifact->stage);
}

// One step of a walk: a stage, and how many of its dependencies have been looked at.
struct Step {
    std::size_t stage;
    std::size_t looked_at;
};

// The stages from `first` to the end of the path, turned so that the first of the file leads.
std::vector<std::size_t> cycle_from(const std::vector<Step>& path, std::size_t first) {
    const auto begin = std::ranges::find(path, first, &Step::stage);
    std::vector<std::size_t> cycle;
    for (auto step = begin; step != path.end(); ++step) cycle.push_back(step->stage);
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    return cycle;
}

}  // namespace

std::vector<std::string_view> stages_named_by(const Stage& stage) {
    std::vector<std::string_view> names;
    add_stage_of(stage.from, names);
    for (const Input& input : stage.inputs) add_stage_of(input.source, names);
    return names;
}

Graph::Graph(const Pipeline& pipeline) : dependencies_(pipeline.stages.size()), dependents_(pipeline.stages.size()) {
    places_.reserve(pipeline.stages.size());
    for (std::size_t i = 0; i < pipeline.stages.size(); ++i) places_.emplace(pipeline.stages[i].name, i);
    for (std::size_t i = 0; i < pipeline.stages.size(); ++i) {
        std::vector<std::size_t>& needed = dependencies_[i];
        for (const std::string_view name : stages_named_by(pipeline.stages[i])) {
            const auto place = places_.find(name);
            if (place != places_.end()) needed.push_back(place->second);
        }
        std::ranges::sort(needed);
        needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
        for (const std::size_t other : needed) dependents_[other].push_back(i);
    }
}

std::size_t Graph::place_of(std::string_view stage) const {
    const auto place = places_.find(stage);
    if (place != places_.end()) return place->second;
    std::vector<std::string_view> names;
    for (const auto& [name, unused] : places_) names.push_back(name);
    std::ranges::sort(names);  // the map's order is nobody's: equal mistakes get equal answers
    const std::string meant = sandbox::os::did_you_mean(stage, names);
    throw std::invalid_argument(
        sandbox::os::format("no stage is called {}{}{}", sandbox::os::quote(stage), meant.empty() ? "" : ": ", meant));
}

const std::vector<std::size_t>& Graph::dependencies(std::size_t stage) const {
    return dependencies_.at(stage);
}

const std::vector<std::size_t>& Graph::dependents(std::size_t stage) const {
    return dependents_.at(stage);
}

// A depth-first walk with a stack of its own: a chain of a hundred thousand stages is no reason to crash.
std::vector<std::size_t> Graph::cycle() const {
    enum class Seen : char { no, on_path, done };
    std::vector<Seen> seen(size(), Seen::no);
    std::vector<Step> path;
    for (std::size_t start = 0; start < size(); ++start) {
        if (seen[start] != Seen::no) continue;
        seen[start] = Seen::on_path;
        path.push_back({start, 0});
        while (!path.empty()) {
            Step& top = path.back();
            if (top.looked_at == dependencies_[top.stage].size()) {
                seen[top.stage] = Seen::done;
                path.pop_back();
                continue;
            }
            const std::size_t next = dependencies_[top.stage][top.looked_at++];
            if (seen[next] == Seen::on_path) return cycle_from(path, next);
            if (seen[next] == Seen::no) {
                seen[next] = Seen::on_path;
                path.push_back({next, 0});
            }
        }
    }
    return {};
}

std::vector<std::size_t> Graph::order() const {
    return order_of(std::vector<char>(size(), 1));
}

std::vector<std::size_t> Graph::order_for(std::span<const std::string> stages) const {
    if (stages.empty()) return order();
    std::vector<char> wanted(size(), 0);
    std::vector<std::size_t> open;
    for (const std::string& stage : stages) open.push_back(place_of(stage));
    while (!open.empty()) {
        const std::size_t stage = open.back();
        open.pop_back();
        if (wanted[stage] != 0) continue;
        wanted[stage] = 1;
        open.insert(open.end(), dependencies_[stage].begin(), dependencies_[stage].end());
    }
    return order_of(wanted);
}

// Kahn's algorithm, with the smallest place first. `wanted` is closed under dependencies.
std::vector<std::size_t> Graph::order_of(const std::vector<char>& wanted) const {
    std::vector<std::size_t> waiting_for(size());
    std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
    for (std::size_t stage = 0; stage < size(); ++stage) {
        waiting_for[stage] = dependencies_[stage].size();
        if (wanted[stage] != 0 && waiting_for[stage] == 0) ready.push(stage);
    }
    std::vector<std::size_t> order;
    while (!ready.empty()) {
        const std::size_t stage = ready.top();
        ready.pop();
        order.push_back(stage);
        for (const std::size_t other : dependents_[stage]) {
            if (--waiting_for[other] == 0 && wanted[other] != 0) ready.push(other);
        }
    }
    return order;
}

}  // namespace stages
