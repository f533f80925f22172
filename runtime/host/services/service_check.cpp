#include "runtime/host/services/service_check.hpp"

#include "runtime/host/services/service_problems.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {

using sandbox::os::Problem;

using sandbox::os::format;

ServiceDecision decide_or_tell(UnitManagers& managers, const stages::HostService& wanted) {
    try {
        return managers.decide(wanted);
    } catch (const sandbox::os::BusError& error) {
        return problem_of_bus(wanted, error);
    }
}

Findings check_host_services(const stages::Pipeline& pipeline) {
    Findings findings;
    UnitManagers managers;
    for (const stages::HostService& wanted : pipeline.host_services) {
        const ServiceDecision decision = decide_or_tell(managers, wanted);
        if (const auto* problem = std::get_if<Problem>(&decision)) {
            findings.push_back({Severity::harm, "service", *problem});
            continue;
        }
        const auto& plan = std::get<ServiceStart>(decision);
        const std::string who = called(wanted.manager, plan.unit);
        std::string text = format("{} is active", who);
        if (plan.act == ServiceStart::Act::await) text = format("{} is being started", who);
        if (plan.act == ServiceStart::Act::start) {
            text = format("{} is inactive; a build starts it{}, and puts it back", who,
                          plan.comes_with.empty() ? "" : format(" with {}", sandbox::os::list_words(plan.comes_with)));
        }
        findings.push_back({Severity::info, "service", text});
    }
    return findings;
}

Findings find_left_services(int store, const IsAlive& is_alive) {
    StartedUnits units = ServiceJournal::peek(store);
    units.drop_dead_users(is_alive);
    Findings findings;
    for (const StartedUnit& unit : units.unneeded()) {
        findings.push_back({Severity::warning, "service",
                            format("a build that was killed has started {}", called(unit.manager, unit.unit)),
                            "the next build puts it back, and so does: stagebox store gc"});
    }
    return findings;
}

std::string describe(const std::vector<stages::HostService>& services) {
    std::string text;
    for (const stages::HostService& service : services) {
        text += format("requires-services: {}{}, {}\n", service.unit,
                       service.manager == Manager::user ? " of the user's manager" : "",
                       service.may_start
                           ? format("started where it is inactive, within {} s, and put back", service.timeout.count())
                           : "not started by a build");
    }
    return text;
}

}  // namespace runtime::host
