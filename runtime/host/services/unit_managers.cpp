#include "runtime/host/services/unit_managers.hpp"

#include <unistd.h>

#include "runtime/host/services/critical_seeds.hpp"

namespace runtime::host {

Systemd& UnitManagers::of(Manager manager) {
    auto& systemd = one(manager).systemd;
    if (!systemd) systemd = std::make_unique<Systemd>(manager);
    return *systemd;
}

const CriticalUnits& UnitManagers::critical(Manager manager) {
    auto& critical = one(manager).critical;
    if (!critical) {
        Systemd& systemd = of(manager);
        critical.emplace(find_critical(host_, systemd, read_processes(host_), ::getpid()), systemd);
    }
    return *critical;
}

void UnitManagers::forget() {
    for (One* each : {&system_, &user_}) {
        if (each->systemd) each->systemd->forget();
    }
}

ServiceDecision UnitManagers::decide(const stages::HostService& wanted) {
    const auto find = [&]() -> const CriticalUnits& { return critical(wanted.manager); };
    return host::decide(wanted, of(wanted.manager), find);
}

StopDecision UnitManagers::decide_stop(const StartedUnit& started, PendingJob job) {
    const auto find = [&]() -> const CriticalUnits& { return critical(started.manager); };
    return host::decide_stop(started, of(started.manager), find, job);
}

}  // namespace runtime::host
