// The managers of the host's units, each connected to when it is first asked for, with what the session that builds
// depends on.
#pragma once
#include <memory>
#include <optional>

#include "runtime/host/services/service_plan.hpp"
#include "runtime/host/services/systemd.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

class UnitManagers {
  public:
    // Throws BusError where it cannot be reached.
    Systemd& of(Manager manager);
    const CriticalUnits& critical(Manager manager);
    // What was asked is asked anew from now on. What is critical stays so.
    void forget();

    [[nodiscard]] ServiceDecision decide(const stages::HostService& wanted);
    [[nodiscard]] StopDecision decide_stop(const StartedUnit& started, PendingJob job);

  private:
    struct One {
        std::unique_ptr<Systemd> systemd;
        std::optional<CriticalUnits> critical;
    };
    One& one(Manager manager) { return manager == Manager::user ? user_ : system_; }

    sandbox::os::HostFiles host_;
    One system_;
    One user_;
};

}  // namespace runtime::host
