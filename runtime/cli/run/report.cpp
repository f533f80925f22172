#include "runtime/cli/run/report.hpp"

#include <sched.h>

#include <string_view>
#include <utility>

#include "sandbox/os/caps.hpp"
#include "sandbox/os/sha256.hpp"
#include "sandbox/probe/probe.hpp"
#include "sandbox/profile/permissions.hpp"
#include "stages/pipeline/stage_options.hpp"

namespace runtime::cli {

using sandbox::os::Json;

namespace {

Json namespaces_of(const sandbox::BuildPlan& plan) {
    Json names = Json::array();
    const std::pair<std::uint64_t, const char*> kinds[] = {
        {CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},      {CLONE_NEWNET, "network"},
        {CLONE_NEWIPC, "ipc"},   {CLONE_NEWUTS, "uts"},  {CLONE_NEWCGROUP, "cgroup"}};
    for (const auto& [flag, name] : kinds) {
        if ((plan.clone_flags & flag) != 0) names.push_back(name);
    }
    return names;
}

Json capabilities_of(std::uint64_t mask) {
    Json names = Json::array();
    for (int number = 0; number <= sandbox::last_capability(); ++number) {
        if ((mask & sandbox::capability_bit(number)) != 0) names.push_back(sandbox::capability_name(number));
    }
    return names;
}

Json filter_of(const sandbox::FilterProgram& filter) {
    const auto& instructions = filter.instructions;
    const std::string_view bytes(reinterpret_cast<const char*>(instructions.data()),
                                 instructions.size() * sizeof instructions.front());
    return {{"instructions", instructions.size()}, {"sha256", sandbox::os::sha256_of(bytes)}};
}

Json filters_of(const sandbox::BuildPlan& plan) {
    Json filters = Json::array();
    for (const sandbox::FilterProgram& filter : plan.more_filters) filters.push_back(filter_of(filter));
    filters.push_back(filter_of(plan.filter));
    return filters;
}

}  // namespace

Json report_of(const RunRequest& request, const sandbox::BuildPlan& plan) {
    Json report;
    report["command"] = request.command.argv;
    report["profile"] = request.profile;
    report["namespaces"] = namespaces_of(plan);
    report["ids"] = {{"uid", {{"inside", 0}, {"outside", plan.ids.uid_base}, {"count", plan.ids.count}}},
                     {"gid", {{"inside", 0}, {"outside", plan.ids.gid_base}, {"count", plan.ids.count}}},
                     {"command", {{"uid", plan.uid}, {"gid", plan.gid}}}};
    report["network"] = sandbox::word_for(request.build_spec().network, stages::network_words);
    report["steps"] = Json::array();
    for (const sandbox::Step& step : plan.steps) report["steps"].push_back(sandbox::describe(plan, step));
    report["capabilities"] = capabilities_of(plan.capabilities);
    report["filters"] = filters_of(plan);
    report["nested_namespaces"] = plan.nested_namespaces == sandbox::Nested::allowed ? "allowed" : "forbidden";
    report["landlock"] = plan.landlock == sandbox::Fence::off ? 0 : sandbox::landlock_abi();
    report["permissions"] = sandbox::words_of(sandbox::permissions_in_force(request.build_spec()));
    report["limits"] = Json::array();
    for (const sandbox::RlimitValue& limit : plan.rlimits) {
        report["limits"].push_back({{"resource", limit.resource}, {"soft", limit.soft}, {"hard", limit.hard}});
    }
    return report;
}

}  // namespace runtime::cli
