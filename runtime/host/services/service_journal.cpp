#include "runtime/host/services/service_journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::host {
namespace {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::HostFiles;
using sandbox::os::Json;
using sandbox::os::sys;

constexpr const char* journal_name = "host-services.json";
constexpr const char* lock_name = "host-services.lock";
constexpr std::chrono::milliseconds between_tries{50};

std::string boot_id(const HostFiles& host) {
    return sandbox::os::read_file(host.proc(), "sys/kernel/random/boot_id");
}

}  // namespace

StartedUnit* StartedUnits::find(Manager manager, const std::string& unit) {
    const auto found = std::ranges::find_if(
        units_, [&](const StartedUnit& one) { return one.manager == manager && one.unit == unit; });
    return found == units_.end() ? nullptr : &*found;
}

void StartedUnits::erase(Manager manager, const std::string& unit) {
    std::erase_if(units_, [&](const StartedUnit& one) { return one.manager == manager && one.unit == unit; });
}

void StartedUnits::add_user(Manager manager, const std::string& unit, const std::string& run) {
    StartedUnit* const known = find(manager, unit);
    if (known == nullptr || std::ranges::find(known->users, run) != known->users.end()) return;
    known->users.push_back(run);
}

void StartedUnits::drop_user(const std::string& run) {
    for (StartedUnit& unit : units_) std::erase(unit.users, run);
}

void StartedUnits::drop_dead_users(const IsAlive& is_alive) {
    for (StartedUnit& unit : units_) {
        std::erase_if(unit.users, [&](const std::string& run) { return !is_alive(run); });
    }
}

std::vector<StartedUnit> StartedUnits::unneeded() const {
    std::vector<StartedUnit> found;
    for (const StartedUnit& unit : units_) {
        if (unit.users.empty()) found.push_back(unit);
    }
    std::ranges::reverse(found);
    return found;
}

Json to_json(const StartedUnits& units) {
    Json list = Json::array();
    for (const StartedUnit& unit : units.all()) {
        list.push_back({{"manager", name_of(unit.manager)},
                        {"unit", unit.unit},
                        {"invocation", unit.invocation},
                        {"wanted_by", unit.wanted_by},
                        {"users", unit.users}});
    }
    return list;
}

StartedUnits started_units_from(const Json& json) {
    StartedUnits units;
    for (const Json& one : json) {
        units.add({.manager = one.at("manager") == "user" ? Manager::user : Manager::system,
                   .unit = one.at("unit").get<std::string>(),
                   .invocation = one.at("invocation").get<std::string>(),
                   .wanted_by = one.at("wanted_by").get<UnitNames>(),
                   .users = one.at("users").get<UnitNames>()});
    }
    return units;
}

StartedUnits ServiceJournal::peek(int store, const HostFiles& host) {
    const auto text = sandbox::os::read_file_if_exists(store, journal_name);
    if (!text) return {};
    try {
        const Json json = Json::parse(*text);
        if (json.at("boot") != boot_id(host)) return {};
        return started_units_from(json.at("units"));
    } catch (const Json::exception& error) {
        throw std::runtime_error(
            format("{} in the store cannot be read ({}): it says which host services builds have started; look with "
                   "systemctl what is active, and delete it",
                   journal_name, error.what()));
    }
}

std::optional<ServiceJournal> ServiceJournal::lock(int store, const std::function<bool()>& is_interrupted,
                                                   const HostFiles& host) {
    constexpr int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    Fd file(sys([&] { return ::openat(store, lock_name, flags, 0600); }, "open {}", lock_name));
    // Who has it may be waiting for a unit to end.
    for (;;) {
        const long locked = sandbox::os::try_sys([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); });
        if (locked == 0) return ServiceJournal(store, std::move(file), host);
        if (locked != -EWOULDBLOCK)
            throw sandbox::os::SysError(static_cast<int>(-locked), format("lock {}", lock_name));
        if (is_interrupted()) return std::nullopt;
        std::this_thread::sleep_for(between_tries);
    }
}

ServiceJournal::ServiceJournal(int store, Fd file, const HostFiles& host)
    : units(peek(store, host)), store_(store), boot_(boot_id(host)), lock_(std::move(file)) {}

void ServiceJournal::write() const {
    if (units.all().empty()) {
        const long gone = sandbox::os::try_sys([&] { return ::unlinkat(store_, journal_name, 0); });
        if (gone < 0 && gone != -ENOENT) {
            throw sandbox::os::SysError(static_cast<int>(-gone), format("delete {}", journal_name));
        }
        return;
    }
    sandbox::os::write_file_atomically(store_, journal_name,
                                       Json({{"boot", boot_}, {"units", to_json(units)}}).dump(1) + "\n");
}

}  // namespace runtime::host
