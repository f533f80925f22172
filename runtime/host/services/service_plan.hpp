// What is to be done about one required service before a build, and about one that was started, after it. Rules only:
// they look at facts, and change nothing.
#pragma once
#include <functional>
#include <optional>
#include <variant>

#include "runtime/host/services/critical_units.hpp"
#include "sandbox/os/problem.hpp"

namespace runtime::host {

struct ServiceStart {
    enum class Act : std::uint8_t {
        none,   // it is active
        await,  // somebody else has it started
        start,
    };
    Act act = Act::none;
    std::string unit;      // its own name
    UnitNames comes_with;  // units that are inactive and that systemd starts with it; those that others need come first
};

// They are looked for only where something is to be started or stopped.
using FindCritical = std::function<const CriticalUnits&()>;

using ServiceDecision = std::variant<ServiceStart, sandbox::os::Problem>;
[[nodiscard]] ServiceDecision decide(const stages::HostService& wanted, UnitSource& source,
                                     const FindCritical& critical);

// A unit that a build has started, itself or by starting one that needs it.
struct StartedUnit {
    Manager manager = Manager::system;
    std::string unit;
    std::string invocation = {};  // of that start; empty: it was not seen any more
    UnitNames wanted_by = {};     // what was up before and wants it, and did without it
    UnitNames users = {};         // runs that need it, by their place in the store
    bool operator==(const StartedUnit&) const = default;
};

struct StopDecision {
    enum class Act : std::uint8_t {
        none,  // it has ended
        stop,
        leave,
    };
    Act act = Act::none;
    std::string why = {};  // it is left as it is; for a sentence
};
// own: the job that is on its way for it is the build's own, and is to be replaced.
enum class PendingJob : std::uint8_t { others, own };
[[nodiscard]] StopDecision decide_stop(const StartedUnit& started, UnitSource& source, const FindCritical& critical,
                                       PendingJob job = PendingJob::others);

}  // namespace runtime::host
