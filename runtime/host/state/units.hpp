// What systemd and logind have, where a bus answers: units that run or have failed, timers, inhibitors, logins.
#pragma once
#include "runtime/host/state/item.hpp"

namespace runtime::host {

struct UnitTables {
    Table units;  // services, scopes, sockets, paths, swaps
    Table timers;
};

struct Services {
    UnitTables system;
    UnitTables user;   // of the user's own manager, as "user: NAME"
    Table inhibitors;  // "WHO: WHAT", logind's
    Table logins;      // logind's sessions
};
[[nodiscard]] Services observe_services();

// Asks about the units and logins that are in `after` and not, or otherwise, in `before`: their program, process and
// cgroup, which tell whose they are. What another one starts is as good as that one.
void find_service_facts(const Services& before, Services& after);

}  // namespace runtime::host
