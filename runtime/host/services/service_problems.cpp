#include "runtime/host/services/service_problems.hpp"

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {

using sandbox::os::Problem;

using sandbox::os::BusError;
using sandbox::os::format;

namespace {

bool is_refused_right(const BusError& error) {
    return error.name() == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired" ||
           error.name() == "org.freedesktop.DBus.Error.AccessDenied" ||
           error.name() == "org.freedesktop.DBus.Error.AuthFailed";
}

}  // namespace

Problem problem_of_start(const stages::HostService& wanted, const std::string& unit, const BusError& error) {
    const std::string who = called(wanted.manager, unit);
    if (is_refused_right(error)) {
        return {format("{} is inactive, and systemd does not let this user start it ({})", who, error.what()),
                format("start it yourself: {}; or require one of the user's own manager: manager = \"user\"",
                       systemctl(wanted.manager, "start", unit))};
    }
    return {format("{} cannot be started: {}", who, error.what()), systemctl(wanted.manager, "status", unit)};
}

Problem problem_of_bus(const stages::HostService& wanted, const BusError& error) {
    return {format("{} cannot be looked up: {}", called(wanted.manager, wanted.unit), error.what()),
            "what a pipeline requires of its host is asked of the host's systemd; in a container, or on a host without "
            "systemd, let the stage start it itself, by its own \"services\""};
}

Problem problem_of_timeout(const stages::HostService& wanted, const UnitFacts& unit) {
    const std::string status = systemctl(wanted.manager, "status", unit.name);
    return {format("{} is not active after {} s: it is {} ({})", called(wanted.manager, unit.name),
                   wanted.timeout.count(), unit.active, unit.sub),
            format("{}; or give it longer: timeout = \"{}s\"", status, wanted.timeout.count() * 2)};
}

Problem problem_of_end(Manager manager, const UnitFacts& unit, const std::string& result, const UnitNames& failed) {
    const std::string who = called(manager, unit.name);
    const std::string remedy = format("{}; journalctl {}-u {}", systemctl(manager, "status", unit.name),
                                      manager == Manager::user ? "--user " : "", unit.name);
    if (result == "dependency" && !failed.empty()) {
        return {format("{} was not started, since what it requires failed: {}", who, sandbox::os::list_words(failed)),
                remedy};
    }
    if (!unit.is_met) {
        return {format("{} was not started: a condition that it has is not met", who),
                format("{}; its conditions: {}", systemctl(manager, "status", unit.name),
                       systemctl(manager, "cat", unit.name))};
    }
    if (!unit.remains && unit.result == "success") {
        return {format("{} has run and is over: it is no service that stays (Type=oneshot)", who),
                "require a service that runs, or one with RemainAfterExit=yes"};
    }
    const std::string how = unit.result.empty() || unit.result == "success" ? result : unit.result;
    return {format("{} did not become active: it is {} ({}{}{}{}{})", who, unit.active, unit.sub,
                   how.empty() ? "" : ", ", how, unit.exit.empty() ? "" : ", ", unit.exit),
            remedy};
}

}  // namespace runtime::host
