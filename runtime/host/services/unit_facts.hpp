// A unit of systemd as its manager describes it: its state, and what it has to do with others. Values only; who asks
// the manager is services/systemd.hpp. The properties are those of org.freedesktop.systemd1(5).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "stages/pipeline/pipeline.hpp"

namespace runtime::host {

using UnitNames = std::vector<std::string>;
using Manager = stages::HostService::Manager;

struct UnitFacts {
    std::string name;        // its own, where it was asked for by an alias
    std::string load;        // loaded, not-found, masked, bad-setting, error
    std::string load_error;  // in words, of the last two
    std::string active;      // active, reloading, activating, deactivating, inactive, failed
    std::string sub;         // running, exited, auto-restart, ...
    std::string invocation;  // names one start of it for good, in hexadecimal; empty: it has not run
    bool has_job = false;    // it is about to be started or stopped
    UnitNames requires_;     // Requires, Requisite, BindsTo
    UnitNames wants;         // Wants, Upholds
    UnitNames conflicts;     // Conflicts, ConflictedBy: starting this one stops them
    UnitNames
        required_by;  // RequiredBy, RequisiteOf, BoundBy, ConsistsOf, PropagatesStopTo: stopping this one stops them
    UnitNames wanted_by;     // WantedBy, UpheldBy
    UnitNames triggered_by;  // the sockets, paths and timers that start it on demand
    // Of a service that ran.
    std::string result;   // success, exit-code, signal, timeout, ...
    std::string exit;     // "exit status 3", "signal 9"; empty: none
    bool is_met = true;   // its conditions, when it was last started
    bool remains = true;  // not one that is over when its program is: Type=oneshot without RemainAfterExit

    [[nodiscard]] bool is_active() const {
        return active == "active" || active == "reloading" || active == "refreshing";
    }
    // Something of it runs.
    [[nodiscard]] bool is_up() const { return active != "inactive" && active != "failed"; }
};

// Where facts come from: of one manager.
class UnitSource {
  public:
    UnitSource() = default;
    UnitSource(const UnitSource&) = delete;
    UnitSource& operator=(const UnitSource&) = delete;
    virtual ~UnitSource() = default;
    // One that does not exist has the load state "not-found".
    virtual const UnitFacts& get(const std::string& name) = 0;
};

// "system" or "user", as in a pipeline file.
[[nodiscard]] std::string_view name_of(Manager manager);
// "the unit foo.service", "the user's unit foo.service"
[[nodiscard]] std::string called(Manager manager, std::string_view unit);
// "systemctl", with what comes before it and after it where this manager is meant.
[[nodiscard]] std::string systemctl(Manager manager, std::string_view verb, std::string_view unit);

}  // namespace runtime::host
