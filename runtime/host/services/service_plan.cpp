#include "runtime/host/services/service_plan.hpp"

#include <algorithm>
#include <deque>
#include <set>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {

using sandbox::os::Problem;
namespace {

using sandbox::os::format;

constexpr std::string_view allow_key = "allow-start = true";

std::string state_of(const UnitFacts& unit) {
    const std::string how = unit.result.empty() || unit.result == "success" ? "" : format(", {}", unit.result);
    return format("{} ({}{}{}{})", unit.active, unit.sub, how, unit.exit.empty() ? "" : ", ", unit.exit);
}

std::optional<Problem> load_problem(Manager manager, const UnitFacts& unit) {
    const std::string who = called(manager, unit.name);
    if (unit.load == "loaded") return std::nullopt;
    if (unit.load == "not-found") {
        return Problem{
            format("{} is not on this host", who),
            format("install the package that has it, or mend its name; {} lists what is here",
                   manager == Manager::user ? "systemctl --user list-unit-files" : "systemctl list-unit-files")};
    }
    if (unit.load == "masked") {
        return Problem{format("{} is masked: somebody has forbidden that it is started", who),
                       systemctl(manager, "unmask", unit.name)};
    }
    return Problem{
        format("{} cannot be loaded ({}){}{}", who, unit.load, unit.load_error.empty() ? "" : ": ", unit.load_error),
        systemctl(manager, "cat", unit.name)};
}

// Collects what a start brings with it.
class Closure {
  public:
    Closure(Manager manager, UnitSource& source) : manager_(manager), source_(source) {}

    // As systemd does (transaction.c): what is up already ends the way down, and of what is only wanted no fault
    // counts.
    void add(const std::string& name) {
        const UnitFacts unit = source_.get(name);
        if (!seen_.insert(unit.name).second) return;
        for (const std::string& needed : unit.requires_) {
            const UnitFacts below = source_.get(needed);
            if (below.is_up()) continue;
            if (!problem_) problem_ = fault_of(unit.name, below);
            add(needed);
        }
        for (const std::string& wanted : unit.wants) {
            const UnitFacts& below = source_.get(wanted);
            if (!below.is_up() && below.load == "loaded") add(wanted);
        }
        units_.push_back(unit.name);
    }
    [[nodiscard]] const UnitNames& units() const noexcept { return units_; }
    [[nodiscard]] const std::optional<Problem>& problem() const noexcept { return problem_; }

  private:
    [[nodiscard]] std::optional<Problem> fault_of(const std::string& above, const UnitFacts& unit) const {
        auto problem = load_problem(manager_, unit);
        if (!problem && unit.active == "failed") {
            problem = Problem{format("{} is {}", called(manager_, unit.name), state_of(unit)),
                              systemctl(manager_, "status", unit.name)};
        }
        if (problem) problem->what = format("{} requires {}, and {}", above, unit.name, problem->what);
        return problem;
    }

    Manager manager_;
    UnitSource& source_;
    std::set<std::string> seen_;
    UnitNames units_;
    std::optional<Problem> problem_;
};

// What systemd would stop where `name` is stopped, with it.
UnitNames stopped_with(const std::string& name, UnitSource& source) {
    UnitNames all;
    std::deque<std::string> waiting{name};
    while (!waiting.empty()) {
        const UnitFacts& unit = source.get(waiting.front());
        waiting.pop_front();
        if (!unit.is_up() || std::ranges::find(all, unit.name) != all.end()) continue;
        all.push_back(unit.name);
        waiting.insert(waiting.end(), unit.required_by.begin(), unit.required_by.end());
    }
    return all;
}

std::optional<Problem> conflict_of(Manager manager, const std::string& starting, UnitSource& source,
                                   const CriticalUnits& critical) {
    const UnitNames conflicts = source.get(starting).conflicts;
    std::optional<Problem> problem;
    for (const std::string& other : conflicts) {
        for (const std::string& stopped : stopped_with(other, source)) {
            const std::string* why = critical.why(stopped);
            if (problem && why == nullptr) continue;
            problem =
                Problem{format("starting {} would stop {}, which is active: they conflict{}", called(manager, starting),
                               stopped, stopped == other ? std::string() : format(" by {}", other)),
                        format("a build stops nothing that it did not start; decide between the two: {}",
                               systemctl(manager, "stop", stopped))};
            if (why == nullptr) continue;
            problem->what += format("; this session depends on {}: {}", stopped, *why);
            problem->remedy = "a build never does that; take another service, or build where this session is not";
            return problem;
        }
    }
    return problem;
}

ServiceDecision decide_start(const stages::HostService& wanted, const UnitFacts& unit, UnitSource& source,
                             const FindCritical& critical) {
    Closure closure(wanted.manager, source);
    closure.add(unit.name);
    if (closure.problem()) return *closure.problem();
    for (const std::string& name : closure.units()) {
        if (const std::string* why = critical().why(name)) {
            const std::string who = called(wanted.manager, name);
            return Problem{format("{} is {}, and this session depends on it: {}", who, source.get(name).active, *why),
                           format("a build never starts or stops such a unit; do it yourself: {}",
                                  systemctl(wanted.manager, "start", name))};
        }
        if (auto problem = conflict_of(wanted.manager, name, source, critical())) return *problem;
    }
    UnitNames with = closure.units();
    with.pop_back();  // itself
    return ServiceStart{ServiceStart::Act::start, unit.name, std::move(with)};
}

// A service that its socket starts when somebody comes is as good as active, for who asks for the socket.
std::string trigger_hint(const UnitFacts& unit, UnitSource& source) {
    for (const std::string& trigger : unit.triggered_by) {
        if (trigger.ends_with(".socket") && source.get(trigger).is_active()) {
            return format("; {} is active and starts it when somebody connects: require \"{}\" instead", trigger,
                          trigger);
        }
    }
    return {};
}

}  // namespace

ServiceDecision decide(const stages::HostService& wanted, UnitSource& source, const FindCritical& critical) {
    const UnitFacts unit = source.get(wanted.unit);
    const std::string who = called(wanted.manager, unit.name);
    if (auto problem = load_problem(wanted.manager, unit)) return *problem;
    if (unit.is_active()) return ServiceStart{ServiceStart::Act::none, unit.name, {}};
    if (unit.active == "activating") return ServiceStart{ServiceStart::Act::await, unit.name, {}};
    if (unit.active == "failed") {
        return Problem{format("{} is {}", who, state_of(unit)),
                       format("{}, and when it is mended: {}", systemctl(wanted.manager, "status", unit.name),
                              systemctl(wanted.manager, "restart", unit.name))};
    }
    if (unit.active != "inactive") {
        return Problem{format("{} is {}: somebody is just stopping it", who, state_of(unit)),
                       "build again when it is at rest"};
    }
    if (!wanted.may_start) {
        return Problem{
            format("{} is {}, and the build may not start it", who, state_of(unit)),
            format("{}; or let the build start it and put it back: {{ name = \"{}\", {} }}{}",
                   systemctl(wanted.manager, "start", unit.name), unit.name, allow_key, trigger_hint(unit, source))};
    }
    return decide_start(wanted, unit, source, critical);
}

StopDecision decide_stop(const StartedUnit& started, UnitSource& source, const FindCritical& critical, PendingJob job) {
    using Act = StopDecision::Act;
    const UnitFacts unit = source.get(started.unit);
    const bool is_this_start = !started.invocation.empty() && unit.invocation == started.invocation;
    // What is on its way for a start that is not over is that start, or somebody's end of it.
    const bool is_coming = unit.has_job && (job == PendingJob::own || (is_this_start && unit.active == "activating"));
    if (!unit.is_up() && !is_coming) return {Act::none};
    if (const std::string* why = critical().why(unit.name))
        return {Act::leave, format("this session depends on it: {}", *why)};
    if (started.invocation.empty() && !is_coming) {
        return {Act::leave, "nobody has seen that it was this start that made it active"};
    }
    if (!is_coming && !is_this_start) return {Act::leave, "it was started anew meanwhile"};
    if (unit.has_job && !is_coming) return {Act::leave, "somebody else has just given systemd a job for it"};
    UnitNames users;
    for (const std::string& other : unit.required_by) {
        if (source.get(other).is_up()) users.push_back(other);
    }
    for (const std::string& other : unit.wanted_by) {
        const bool did_without = std::ranges::find(started.wanted_by, other) != started.wanted_by.end();
        if (!did_without && source.get(other).is_up()) users.push_back(other);
    }
    if (!users.empty())
        return {Act::leave,
                format("{} {} it by now", sandbox::os::list_words(users), users.size() == 1 ? "needs" : "need")};
    return {Act::stop};
}

}  // namespace runtime::host
