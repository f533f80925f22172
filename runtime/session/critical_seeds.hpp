// Finds what the session that builds depends on among the units of a manager, by what it is: the process behind a name of the
// bus, the one that holds an ancestor of ours, the one that manages the link to the SSH peer. What those need in turn is
// critical_units.hpp's.
#pragma once
#include "runtime/session/critical_units.hpp"
#include "runtime/session/processes.hpp"
#include "runtime/session/systemd.hpp"

namespace runtime::session {

// `caller`: the process whose session it is.
[[nodiscard]] std::vector<CriticalUnit> find_critical(Systemd& systemd, const std::vector<Process>& processes,
                                                      pid_t caller);

}  // namespace runtime::session
