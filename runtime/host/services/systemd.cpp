#include "runtime/host/services/systemd.hpp"

#include <sys/wait.h>

#include "sandbox/cgroup/systemd_job.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::BusError;
using sandbox::os::BusKind;
using sandbox::os::BusMessage;
using sandbox::os::BusTarget;
using sandbox::os::format;
using sandbox::os::Json;

constexpr const char* systemd = "org.freedesktop.systemd1";
constexpr BusTarget manager_object{systemd, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"};
constexpr BusTarget broker{"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"};
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* service_interface = "org.freedesktop.systemd1.Service";

UnitNames names_in(const Json& properties, std::initializer_list<const char*> keys) {
    UnitNames names;
    for (const char* key : keys) {
        const auto found = properties.find(key);  // older versions have fewer
        if (found == properties.end()) continue;
        for (const Json& name : *found) names.push_back(name.get<std::string>());
    }
    return names;
}

std::string hexadecimal(const Json& bytes) {
    std::string text;
    for (const Json& byte : bytes) text += format("{:02x}", byte.get<unsigned>());
    return text;
}

std::string exit_text(int code, int status) {
    if (code == CLD_EXITED && status != 0) return format("exit status {}", status);
    if (code == CLD_KILLED || code == CLD_DUMPED) return format("signal {}", status);
    return {};
}

UnitFacts facts_from(const Json& properties) {
    const auto text = [&](const char* key) { return properties.at(key).get<std::string>(); };
    UnitFacts unit;
    unit.name = text("Id");
    unit.load = text("LoadState");
    unit.load_error = properties.at("LoadError").at(1).get<std::string>();
    unit.active = text("ActiveState");
    unit.sub = text("SubState");
    unit.invocation = hexadecimal(properties.at("InvocationID"));
    unit.has_job = properties.at("Job").at(0).get<std::uint32_t>() != 0;
    unit.requires_ = names_in(properties, {"Requires", "Requisite", "BindsTo"});
    unit.wants = names_in(properties, {"Wants", "Upholds"});
    unit.conflicts = names_in(properties, {"Conflicts", "ConflictedBy"});
    unit.required_by = names_in(properties, {"RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo"});
    unit.wanted_by = names_in(properties, {"WantedBy", "UpheldBy"});
    unit.triggered_by = names_in(properties, {"TriggeredBy"});
    unit.is_met =
        properties.at("ConditionTimestamp").get<std::uint64_t>() == 0 || properties.at("ConditionResult").get<bool>();
    return unit;
}

}  // namespace

Systemd::Systemd(Manager manager)
    : manager_(manager), bus_(manager == Manager::user ? BusKind::user : BusKind::system) {
    bus_.listen(manager_object.interface, "JobRemoved");
    bus_.call(bus_.new_call(manager_object, "Subscribe"));
}

const UnitFacts& Systemd::get(const std::string& name) {
    const auto known = known_.find(name);
    if (known != known_.end()) return known->second;
    return known_.emplace(name, read(name)).first->second;
}

UnitFacts Systemd::read(const std::string& name) {
    // Not GetUnit, which knows only what somebody has loaded.
    BusMessage request = bus_.new_call(manager_object, "LoadUnit");
    request.add(name);
    const std::string path = bus_.call(request).read_text();
    try {
        UnitFacts unit = facts_from(bus_.properties({systemd, path.c_str(), unit_interface}));
        if (!unit.is_up() && unit.name.ends_with(".service")) add_end(path, unit);
        return unit;
    } catch (const Json::exception& error) {
        throw BusError(format("systemd describes {} in another form: {}", name, error.what()));
    }
}

void Systemd::add_end(const std::string& path, UnitFacts& unit) {
    const BusTarget service{systemd, path.c_str(), service_interface};
    const Json result = bus_.property(service, "Result");
    if (!result.is_string()) return;  // not loaded
    unit.result = result.get<std::string>();
    unit.exit = exit_text(bus_.property(service, "ExecMainCode").get<int>(),
                          bus_.property(service, "ExecMainStatus").get<int>());
    unit.remains = bus_.property(service, "Type") != "oneshot" || bus_.property(service, "RemainAfterExit") == true;
}

std::string Systemd::request(const char* member, const std::string& unit, Mode mode) {
    BusMessage call = bus_.new_call(manager_object, member);
    call.add(unit).add(mode == Mode::fail ? "fail" : "replace");
    return bus_.call(call).read_text();
}

std::string Systemd::start(const std::string& unit, Mode mode) {
    return request("StartUnit", unit, mode);
}

std::string Systemd::stop(const std::string& unit, Mode mode) {
    return request("StopUnit", unit, mode);
}

void Systemd::keep_loaded(const std::string& unit) {
    BusMessage call = bus_.new_call(manager_object, "RefUnit");
    call.add(unit);
    try {
        bus_.call(call);
    } catch (const BusError&) {
        // What cannot be kept is told less well.
    }
}

void Systemd::reset_failed(const std::string& unit) {
    BusMessage call = bus_.new_call(manager_object, "ResetFailedUnit");
    call.add(unit);
    bus_.call(call);
}

std::optional<std::string> Systemd::wait_for(const std::string& job, std::chrono::milliseconds timeout) {
    return sandbox::result_of_job(bus_, job, timeout);
}

std::string Systemd::unit_of(pid_t process) {
    BusMessage call = bus_.new_call(manager_object, "GetUnitByPID");
    call.add_number(static_cast<std::uint32_t>(process));
    try {
        const std::string path = bus_.call(call).read_text();
        const Json name = bus_.property({systemd, path.c_str(), unit_interface}, "Id");
        return name.is_string() ? name.get<std::string>() : std::string();
    } catch (const BusError&) {
        return {};
    }
}

pid_t Systemd::owner_of(const char* name) {
    BusMessage call = bus_.new_call(broker, "GetConnectionUnixProcessID");
    call.add(name);
    try {
        return static_cast<pid_t>(bus_.call(call).read_number());
    } catch (const BusError&) {
        return 0;  // nobody owns it, or there is no broker
    }
}

}  // namespace runtime::host
