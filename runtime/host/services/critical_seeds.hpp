// Finds what the session that builds depends on among the units of a manager, by what it is: the process behind a name
// of the bus, the one that holds an ancestor of ours, the one that manages the link to the SSH peer. What those need in
// turn is services/critical_units.hpp's.
#pragma once
#include "runtime/host/services/critical_units.hpp"
#include "runtime/host/services/systemd.hpp"
#include "runtime/host/state/processes.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

// `caller`: the process whose session it is.
[[nodiscard]] std::vector<CriticalUnit> find_critical(const sandbox::os::HostFiles& host, Systemd& systemd,
                                                      const std::vector<Process>& processes, pid_t caller);

}  // namespace runtime::host
