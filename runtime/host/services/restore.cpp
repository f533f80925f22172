#include "runtime/host/services/restore.hpp"

#include <algorithm>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {
namespace {

using sandbox::os::BusError;
using sandbox::os::format;

// systemd kills a unit that does not end, after 90 s where it does not say otherwise (TimeoutStopSec=,
// systemd.service(5)).
constexpr std::chrono::seconds stop_timeout{100};

void stop(const StartedUnit& started, Systemd& systemd, PendingJob job, PutBack& done) {
    const bool is_coming = job == PendingJob::own || systemd.get(started.unit).active == "activating";
    const auto mode = is_coming ? Systemd::Mode::replace : Systemd::Mode::fail;
    const std::string stopping = systemd.stop(started.unit, mode);
    const auto result = systemd.wait_for(stopping, stop_timeout);
    systemd.forget();
    const UnitFacts& unit = systemd.get(started.unit);
    // What it was before: a mark of failure is not.
    if (unit.active == "failed") systemd.reset_failed(started.unit);
    if (unit.is_up() && !result) {
        done.failed.emplace_back(started.unit, format("it has not ended within {} s", stop_timeout.count()));
    } else if (unit.is_up()) {
        done.failed.emplace_back(started.unit, format("it is {} all the same", unit.active));
    } else {
        done.stopped.push_back(started.unit);
    }
}

// A user's manager ends with the last login, and its units with it.
bool has_manager(Manager manager, UnitManagers& managers) {
    try {
        managers.of(manager);
        return true;
    } catch (const BusError&) {
        return manager == Manager::system;
    }
}

// Whether it is settled, one way or another.
bool restore_one(const StartedUnit& started, UnitManagers& managers, PendingJob job, PutBack& done) {
    if (!has_manager(started.manager, managers)) {
        done.ended.push_back(started.unit);
        return true;
    }
    try {
        managers.forget();  // what was stopped before it needs it no more
        const StopDecision decision = managers.decide_stop(started, job);
        switch (decision.act) {
            case StopDecision::Act::none: {
                Systemd& systemd = managers.of(started.manager);
                const UnitFacts& unit = systemd.get(started.unit);
                const bool is_this_start = !started.invocation.empty() && unit.invocation == started.invocation;
                if (unit.active == "failed" && is_this_start) systemd.reset_failed(started.unit);
                done.ended.push_back(started.unit);
                return true;
            }
            case StopDecision::Act::leave: done.left.emplace_back(started.unit, decision.why); return true;
            case StopDecision::Act::stop: break;
        }
        const std::size_t failed = done.failed.size();
        stop(started, managers.of(started.manager), job, done);
        return done.failed.size() == failed;
    } catch (const BusError& error) {
        done.failed.emplace_back(started.unit, error.what());
        return false;
    }
}

// No reason to leave a unit active that is to be stopped.
void try_to_write(const ServiceJournal& journal) {
    try {
        journal.write();
    } catch (const sandbox::os::SysError&) {
    }
}

}  // namespace

PutBack restore(ServiceJournal& journal, UnitManagers& managers, PendingJob job) {
    PutBack done;
    try_to_write(journal);
    for (const StartedUnit& started : journal.units.unneeded()) {
        if (restore_one(started, managers, job, done)) {
            journal.units.erase(started.manager, started.unit);
            try_to_write(journal);
        } else {
            done.failed.back().second +=
                format("; stop it yourself: {}", systemctl(started.manager, "stop", started.unit));
        }
    }
    return done;
}

void restore_of_dead_runs(int store, const IsAlive& is_alive, const std::function<void(const std::string&)>& say) {
    if (ServiceJournal::peek(store).all().empty()) return;
    auto journal = ServiceJournal::lock(store, [] { return false; });
    journal->units.drop_dead_users(is_alive);
    if (journal->units.unneeded().empty()) return;
    UnitManagers managers;
    const std::string text = to_text(restore(*journal, managers));
    if (!text.empty()) say(format("host services of a build that was killed: {}", text));
}

std::string to_text(const PutBack& done) {
    std::string text;
    const auto add = [&](const std::string& sentence) { sandbox::os::append_part(text, "; ", sentence); };
    const auto add_all = [&](const UnitNames& names, const char* what) {
        if (!names.empty())
            add(format("{} {} {}", sandbox::os::list_words(names), names.size() == 1 ? "was" : "were", what));
    };
    add_all(done.stopped, "stopped again");
    add_all(done.ended, "inactive already");
    for (const auto& [unit, why] : done.left) add(format("{} was left as it is: {}", unit, why));
    for (const auto& [unit, why] : done.failed) add(format("{} is NOT PUT BACK: {}", unit, why));
    return text;
}

}  // namespace runtime::host
