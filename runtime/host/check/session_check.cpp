#include "runtime/host/check/session_check.hpp"

#include <algorithm>
#include <array>

#include "runtime/host/check/free_space.hpp"
#include "runtime/host/check/leftovers.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::Json;

const char* name_of(Severity severity) {
    constexpr std::array names{"info", "warning", "harm"};
    return names.at(static_cast<std::size_t>(severity));
}

}  // namespace

Findings check_host(const Scene& scene, const OurPaths& ours, double expected) {
    Findings all;
    const auto add = [&](Findings findings) {
        all.insert(all.end(), std::make_move_iterator(findings.begin()), std::make_move_iterator(findings.end()));
    };
    add(find_own_builds(scene.host, scene.processes, ours.store));
    add(find_builders(scene.host, scene.processes, ours));
    add(check_room(ours.store, expected));
    if (!ours.output.empty()) add(check_room(ours.output));
    add(find_leftovers(scene.host, scene.mounts, read_loops(scene.host), scene.processes));
    std::stable_sort(all.begin(), all.end(),
                     [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
    return all;
}

bool has_harm(const Findings& findings) {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& finding) { return finding.severity == Severity::harm; });
}

std::string to_text(const Finding& finding) {
    return format("{}: {}: {}{}", name_of(finding.severity), finding.topic, finding.problem.what,
                  sandbox::os::help_line(finding.problem.remedy));
}

Json to_json(const Session& session, const Findings& findings) {
    Json list = Json::array();
    for (const Finding& finding : findings) {
        list.push_back({{"severity", name_of(finding.severity)},
                        {"topic", finding.topic},
                        {"text", finding.problem.what},
                        {"remedy", finding.problem.remedy}});
    }
    return {{"session", {{"kind", name_of(session.kind)}, {"why", session.why}}},
            {"safe", !has_harm(findings)},
            {"findings", std::move(list)}};
}

}  // namespace runtime::host
