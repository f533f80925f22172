// The look at the services that a pipeline requires of its host. Changes nothing.
#pragma once
#include "runtime/host/services/service_journal.hpp"
#include "runtime/host/services/unit_managers.hpp"
#include "runtime/host/state/finding.hpp"

namespace runtime::host {

// As `decide`; that nobody answers is a problem, too.
[[nodiscard]] ServiceDecision decide_or_tell(UnitManagers& managers, const stages::HostService& wanted);

// The state of each, for `session check`: harm is what a build would not start with.
[[nodiscard]] Findings check_host_services(const stages::Pipeline& pipeline);
// What a killed build has left active, for `session check`. `store`: its directory.
[[nodiscard]] Findings find_left_services(int store, const IsAlive& is_alive);
// "requires-services: foo.service of the user's manager, started where it is inactive, ..."; a line for each.
[[nodiscard]] std::string describe(const std::vector<stages::HostService>& services);

}  // namespace runtime::host
