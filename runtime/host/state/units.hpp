// What systemd and logind have, where a bus answers: units that run or have failed, timers, inhibitors, logins.
#pragma once
#include "runtime/host/state/item.hpp"
#include "sandbox/os/json.hpp"

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

// What managers answer. Each throws Json::exception for an answer of another form.
//   ListUnitsByPatterns of systemd's: `mark` goes before each name, `owner` is whose manager it is.
void add_units(const sandbox::os::Json& answer, std::string_view mark, std::uint32_t owner, UnitTables& tables);
//   ListSessions and ListInhibitors of logind's.
void add_logins(const sandbox::os::Json& answer, Table& logins);
void add_inhibitors(const sandbox::os::Json& answer, Table& inhibitors);

// Asks about the units and logins that are in `after` and not, or otherwise, in `before`: their program, process and
// cgroup, which tell whose they are. What another one starts is as good as that one.
void find_service_facts(const Services& before, Services& after);

}  // namespace runtime::host
