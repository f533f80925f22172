// One of systemd's managers, the system's or the user's, over D-Bus: what it says of its units, starting and stopping
// them. Knows nothing of builds. Each call throws BusError where the other side says no.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "runtime/host/services/unit_facts.hpp"
#include "sandbox/os/bus.hpp"

namespace runtime::host {

class Systemd : public UnitSource {
  public:
    explicit Systemd(Manager manager);

    [[nodiscard]] Manager manager() const noexcept { return manager_; }
    // Asked for once, until forget().
    const UnitFacts& get(const std::string& name) override;
    void forget() { known_.clear(); }

    // They give a job. Another one that is on its way for the unit: `fail` lets it be and throws, `replace` takes its
    // place.
    enum class Mode : std::uint8_t { fail, replace };
    std::string start(const std::string& unit, Mode mode);
    std::string stop(const std::string& unit, Mode mode);
    // What is known of the end of a unit stays, as long as this connection: else systemd forgets a unit that is
    // inactive. Where that is not allowed, nothing is said.
    void keep_loaded(const std::string& unit);
    // A unit that has failed is inactive afterwards.
    void reset_failed(const std::string& unit);

    // "done", "failed", "dependency", ...: how the job ended; nothing where it has not within so long. For one job at a
    // time.
    std::optional<std::string> wait_for(const std::string& job, std::chrono::milliseconds timeout);

    // The unit that a process is of; empty: of none.
    std::string unit_of(pid_t process);
    // The process that owns a name of the bus; 0: nobody does, and none is started for it.
    pid_t owner_of(const char* name);
    sandbox::os::Bus& bus() noexcept { return bus_; }

  private:
    UnitFacts read(const std::string& name);
    void add_end(const std::string& path, UnitFacts& unit);
    std::string request(const char* member, const std::string& unit, Mode mode);

    Manager manager_;
    sandbox::os::Bus bus_;
    std::map<std::string, UnitFacts> known_;
};

}  // namespace runtime::host
