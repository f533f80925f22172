#include "runtime/host/state/units.hpp"

#include <unistd.h>

#include <chrono>

#include "sandbox/os/bus.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::Bus;
using sandbox::os::BusError;
using sandbox::os::BusKind;
using sandbox::os::BusMessage;
using sandbox::os::BusTarget;
using sandbox::os::format;
using sandbox::os::Json;

// A receipt does not wait for a bus that hangs.
constexpr std::chrono::milliseconds timeout{1000};
constexpr const char* systemd = "org.freedesktop.systemd1";
constexpr BusTarget manager{systemd, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"};
constexpr BusTarget logind{"org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"};

// Mounts, devices and slices follow from what other tables have; targets from the units below them.
constexpr const char* unit_patterns[] = {"*.service", "*.scope", "*.socket", "*.path", "*.swap", "*.timer"};
constexpr const char* unit_states[] = {"active", "reloading", "activating", "deactivating", "failed"};

void add_texts(BusMessage& message, const auto& texts) {
    message.open('a', "s");
    for (const char* text : texts) message.add(text);
    message.close();
}

Json ask(Bus& bus, const BusTarget& target, const char* member) {
    return bus.call(bus.new_call(target, member)).read_values();
}

void list_units(Bus& bus, std::string_view mark, std::uint32_t owner, UnitTables& tables) {
    BusMessage request = bus.new_call(manager, "ListUnitsByPatterns");
    add_texts(request, unit_states);
    add_texts(request, unit_patterns);
    add_units(bus.call(request).read_values(), mark, owner, tables);
}

void list_logind(Bus& bus, Services& services) {
    add_logins(ask(bus, logind, "ListSessions"), services.logins);
    add_inhibitors(ask(bus, logind, "ListInhibitors"), services.inhibitors);
}

// Calls `act`; why it could not, where the bus says no.
template <class Act>
std::string try_bus(BusKind kind, Act act) {
    try {
        Bus bus(kind, timeout);
        act(bus);
        return {};
    } catch (const BusError& error) {
        return error.what();
    } catch (const Json::exception& error) {
        return format("an answer of another form: {}", error.what());
    }
}

std::string text_or_empty(const Json& value) {
    return value.is_string() ? value.get<std::string>() : std::string();
}

const Json& list_or_empty(const Json& value) {
    static const Json none = Json::array();
    return value.is_array() ? value : none;
}

void add_path(std::string path, Facts& facts) {
    if (!path.empty()) facts.paths.push_back(std::move(path));
}

void add_service_facts(Bus& bus, const std::string& path, Facts& facts) {
    const BusTarget service{systemd, path.c_str(), "org.freedesktop.systemd1.Service"};
    const Json pid = bus.property(service, "MainPID");
    if (pid.is_number()) facts.pid = pid.get<pid_t>();  // 0: it does not run
    const Json commands = bus.property(service, "ExecStart");
    for (const Json& command : list_or_empty(commands)) add_path(text_or_empty(command.at(0)), facts);
    for (const char* place : {"RootDirectory", "RootImage"})
        add_path(text_or_empty(bus.property(service, place)), facts);
    facts.cgroup = text_or_empty(bus.property(service, "ControlGroup"));
}

std::string find_unit(Bus& bus, const std::string& name) {
    BusMessage request = bus.new_call(manager, "GetUnit");
    request.add(name);
    return bus.call(request).read_values().at(0).get<std::string>();
}

void add_own_facts(Bus& bus, const std::string& name, const std::string& path, Facts& facts) {
    add_path(text_or_empty(bus.property({systemd, path.c_str(), "org.freedesktop.systemd1.Unit"}, "FragmentPath")),
             facts);
    if (name.ends_with(".service")) {
        add_service_facts(bus, path, facts);
    } else if (name.ends_with(".scope")) {
        facts.cgroup =
            text_or_empty(bus.property({systemd, path.c_str(), "org.freedesktop.systemd1.Scope"}, "ControlGroup"));
    } else if (name.ends_with(".swap")) {
        add_path(text_or_empty(bus.property({systemd, path.c_str(), "org.freedesktop.systemd1.Swap"}, "What")), facts);
    }
}

// A timer, a path or a socket is as good as what it starts.
void add_unit_facts(Bus& bus, const std::string& name, Facts& facts) {
    const std::string path = find_unit(bus, name);
    add_own_facts(bus, name, path, facts);
    const Json triggers = bus.property({systemd, path.c_str(), "org.freedesktop.systemd1.Unit"}, "Triggers");
    for (const Json& other : list_or_empty(triggers)) {
        const std::string started = text_or_empty(other);
        add_own_facts(bus, started, find_unit(bus, started), facts);
    }
}

// logind's session has a process that leads it, and a scope with all of its processes.
void add_login_facts(Bus& bus, const std::string& name, Facts& facts) {
    BusMessage request = bus.new_call(logind, "GetSession");
    request.add(name.substr(name.find(' ') + 1));
    const auto path = bus.call(request).read_values().at(0).get<std::string>();
    const BusTarget session{logind.destination, path.c_str(), "org.freedesktop.login1.Session"};
    const Json leader = bus.property(session, "Leader");
    if (leader.is_number()) facts.pid = leader.get<pid_t>();
    add_unit_facts(bus, text_or_empty(bus.property(session, "Scope")), facts);
}

// Of each thing that is new, or another than it was.
template <class Add>
void find_facts(const Table& before, Table& after, Add add) {
    for (auto& [name, item] : after.items) {
        const auto was = before.items.find(name);
        if (was != before.items.end() && was->second.value == item.value) continue;
        try {
            add(name, item.facts);
        } catch (const BusError&) {
            // It has ended since: whose manager has it is all that is known.
        }
    }
}

}  // namespace

// a(ssssssouso), of which 0 is the name, 3 and 4 the state.
void add_units(const Json& answer, std::string_view mark, std::uint32_t owner, UnitTables& tables) {
    for (const Json& unit : answer.at(0)) {
        const auto name = unit.at(0).get<std::string>();
        const std::string key = format("{}{}", mark, name);
        std::string state = unit.at(3).get<std::string>();
        if (name.ends_with(".timer")) {
            tables.timers.items[key] = {state, {.uid = owner}};  // what it waits for is no change
        } else {
            tables.units.items[key] = {state + " " + unit.at(4).get<std::string>(), {.uid = owner}};
        }
    }
}

// a(susso): id, uid, name, seat, path
void add_logins(const Json& answer, Table& logins) {
    for (const Json& login : answer.at(0)) {
        const auto seat = login.at(3).get<std::string>();
        logins.items[format("session {}", login.at(0).get<std::string>())] = {
            format("{}{}{}", login.at(2).get<std::string>(), seat.empty() ? "" : " on ", seat),
            {.uid = login.at(1).get<std::uint32_t>()}};
    }
}

// a(ssssuu): what, who, why, mode, uid, pid
void add_inhibitors(const Json& answer, Table& inhibitors) {
    for (const Json& lock : answer.at(0)) {
        Facts facts;
        facts.uid = lock.at(4).get<std::uint32_t>();
        facts.pid = lock.at(5).get<pid_t>();
        const std::string name = format("{}: {} ({}), process {}", lock.at(1).get<std::string>(),
                                        lock.at(0).get<std::string>(), lock.at(3).get<std::string>(), facts.pid);
        inhibitors.items[name] = {lock.at(2).get<std::string>(), std::move(facts)};
    }
}

Services observe_services() {
    Services services;
    const std::string system = try_bus(BusKind::system, [&](Bus& bus) { list_units(bus, "", 0, services.system); });
    services.system.units.unreadable = services.system.timers.unreadable = system;
    const std::string user =
        try_bus(BusKind::user, [&](Bus& bus) { list_units(bus, user_mark, ::geteuid(), services.user); });
    services.user.units.unreadable = services.user.timers.unreadable = user;
    const std::string login = try_bus(BusKind::system, [&](Bus& bus) { list_logind(bus, services); });
    services.logins.unreadable = services.inhibitors.unreadable = login;
    return services;
}

void find_service_facts(const Services& before, Services& after) {
    const auto find = [](BusKind kind, std::string_view mark, const UnitTables& was, UnitTables& is) {
        if (!is.units.unreadable.empty() || (was.units.items == is.units.items && was.timers.items == is.timers.items))
            return;
        static_cast<void>(try_bus(kind, [&](Bus& bus) {
            const auto add = [&](const std::string& name, Facts& facts) {
                add_unit_facts(bus, name.substr(mark.size()), facts);
            };
            find_facts(was.units, is.units, add);
            find_facts(was.timers, is.timers, add);
        }));
    };
    find(BusKind::system, "", before.system, after.system);
    find(BusKind::user, user_mark, before.user, after.user);
    if (!after.logins.unreadable.empty() || before.logins.items == after.logins.items) return;
    static_cast<void>(try_bus(BusKind::system, [&](Bus& bus) {
        find_facts(before.logins, after.logins,
                   [&](const std::string& name, Facts& facts) { add_login_facts(bus, name, facts); });
    }));
}

}  // namespace runtime::host
