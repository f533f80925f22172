// Which host services the builds of a store have started, and for whom: host-services.json in the store, written before
// systemd is asked for anything, so that after a crash the next run can put back what was found. Shared by all builds
// of the store under a
// lock: the last one that needs a unit is the one that puts it back. Knows no bus.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "runtime/host/services/service_plan.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/os/host_files.hpp"
#include "sandbox/os/json.hpp"

namespace runtime::host {

// Whether the run of that place is supervised still.
using IsAlive = std::function<bool(const std::string& run)>;

// The content, as a value: units in the order in which they were to be started.
class StartedUnits {
  public:
    [[nodiscard]] const std::vector<StartedUnit>& all() const noexcept { return units_; }
    [[nodiscard]] StartedUnit* find(Manager manager, const std::string& unit);
    void add(StartedUnit unit) { units_.push_back(std::move(unit)); }
    void erase(Manager manager, const std::string& unit);
    void add_user(Manager manager, const std::string& unit, const std::string& run);
    void drop_user(const std::string& run);
    void drop_dead_users(const IsAlive& is_alive);
    // Those that no run needs any more, the last that was started first.
    [[nodiscard]] std::vector<StartedUnit> unneeded() const;

  private:
    std::vector<StartedUnit> units_;
};

// Throws Json::exception where it is something else.
[[nodiscard]] sandbox::os::Json to_json(const StartedUnits& units);
[[nodiscard]] StartedUnits started_units_from(const sandbox::os::Json& json);

// The file, locked as long as the object lives. What another boot has started is gone, and so are its entries.
class ServiceJournal {
  public:
    // `store`: its directory. Waits for who has it; nothing where `is_interrupted` says so meanwhile. Throws SysError.
    static std::optional<ServiceJournal> lock(int store, const std::function<bool()>& is_interrupted,
                                              const sandbox::os::HostFiles& host = {});
    // Without a lock and without making one: what it says at this moment.
    [[nodiscard]] static StartedUnits peek(int store, const sandbox::os::HostFiles& host = {});

    StartedUnits units;
    // On the disk when it returns.
    void write() const;

  private:
    ServiceJournal(int store, sandbox::os::Fd file, const sandbox::os::HostFiles& host);

    int store_;
    std::string boot_;
    sandbox::os::Fd lock_;
};

}  // namespace runtime::host
