// What keeps a build from starting where systemd was asked for a required service and it is not active, in words: what
// is the matter, and what to do.
#pragma once
#include "runtime/host/services/service_plan.hpp"
#include "sandbox/os/bus.hpp"

namespace runtime::host {

// Nobody answers, or not as systemd does.
[[nodiscard]] sandbox::os::Problem problem_of_bus(const stages::HostService& wanted,
                                                  const sandbox::os::BusError& error);
// systemd does not take the start.
[[nodiscard]] sandbox::os::Problem problem_of_start(const stages::HostService& wanted, const std::string& unit,
                                                    const sandbox::os::BusError& error);
[[nodiscard]] sandbox::os::Problem problem_of_timeout(const stages::HostService& wanted, const UnitFacts& unit);
// The start is over. `result`: of its job; empty: that was not ours. `failed`: what came with it and has failed.
[[nodiscard]] sandbox::os::Problem problem_of_end(Manager manager, const UnitFacts& unit, const std::string& result,
                                                  const UnitNames& failed);

}  // namespace runtime::host
