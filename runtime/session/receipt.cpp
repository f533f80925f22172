#include "runtime/session/receipt.hpp"

#include <algorithm>

#include "sandbox/os/format.hpp"

namespace runtime::session {
namespace {

using sandbox::os::format;
using sandbox::os::Json;

const char* word_for(Kind kind) {
    switch (kind) {
        case Kind::mount: return "mount";
        case Kind::loop: return "loop";
        case Kind::process: return "process";
    }
    return "unknown";
}

std::size_t count(const Receipt& receipt, Owner owner, Kind kind) {
    const auto matches = [&](const Difference& d) { return d.owner == owner && d.kind == kind; };
    return static_cast<std::size_t>(std::count_if(receipt.differences.begin(), receipt.differences.end(), matches));
}

std::string change(const char* what, std::size_t before, std::size_t after) {
    return format("{} {} {} {}", what, before, before == after ? "=" : "->", after);
}

std::string some(std::size_t number, const char* one, const char* many) {
    return format("{} {}", number, number == 1 ? one : many);
}

std::string verdict(const Receipt& receipt) {
    const std::size_t left = count(receipt, Owner::ours, Kind::process);
    return format("receipt: host session {}: {}, {}, {} of ours left\n",
                  receipt.clean() ? "untouched" : "TOUCHED BY THIS RUN",
                  change("mounts", receipt.before.mounts, receipt.after.mounts),
                  change("loop devices", receipt.before.loops, receipt.after.loops),
                  left == 0 ? std::string("no process") : some(left, "process", "processes"));
}

Json to_json(const Counts& counts) {
    return {{"mounts", counts.mounts}, {"loops", counts.loops}, {"processes", counts.processes}};
}

Counts count_all(const HostState& state) {
    return {state.mounts.mounts.size(), state.loops.size(), state.processes.size()};
}

}  // namespace

bool Receipt::clean() const {
    return std::none_of(differences.begin(), differences.end(),
                        [](const Difference& difference) { return difference.owner == Owner::ours; });
}

Receipt make_receipt(const HostState& before, const HostState& after, const Ours& ours, Scope scope) {
    return {count_all(before), count_all(after), compare(before, after, ours, scope)};
}

std::string to_text(const Receipt& receipt) {
    std::string text = verdict(receipt);
    const auto& all = receipt.differences;
    const auto ours = [](const Difference& difference) { return difference.owner == Owner::ours; };
    const auto first = std::find_if(all.begin(), all.end(), ours);
    if (first != all.end()) {
        const auto more = static_cast<std::size_t>(std::count_if(all.begin(), all.end(), ours)) - 1;
        text += format("  ours: {}; {}{}\n", first->what, first->why,
                       more == 0 ? std::string() : format("; and {} more in the receipt", more));
    }
    const std::size_t mounts = count(receipt, Owner::other, Kind::mount);
    const std::size_t loops = count(receipt, Owner::other, Kind::loop);
    if (mounts + loops > 0) {
        text += format("  not ours, meanwhile: {}, {}\n", some(mounts, "change of mounts", "changes of mounts"),
                       some(loops, "change of loop devices", "changes of loop devices"));
    }
    return text;
}

Json to_json(const Receipt& receipt) {
    Json differences = Json::array();
    for (const Difference& difference : receipt.differences) {
        differences.push_back({{"kind", word_for(difference.kind)},
                               {"what", difference.what},
                               {"owner", difference.owner == Owner::ours ? "ours" : "other"},
                               {"why", difference.why}});
    }
    return {{"clean", receipt.clean()},
            {"before", to_json(receipt.before)},
            {"after", to_json(receipt.after)},
            {"differences", std::move(differences)}};
}

}  // namespace runtime::session
