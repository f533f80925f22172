// A scope of systemd (systemd.scope(5)) with a cgroup that is left to us (Delegate=yes): asked for over D-Bus, of the
// user's own manager, or of the system's for root. The process that asks is not moved, so that its session stays its
// own; a process of ours that does nothing keeps the scope there, and systemd removes it when that has gone, also after
// a crash.
#pragma once
#include <string>

#include "sandbox/os/bus.hpp"
#include "sandbox/os/host_files.hpp"
#include "sandbox/os/process.hpp"

namespace sandbox {

class SystemdScope {
  public:
    // Throws BusError or SysError.
    SystemdScope(os::BusKind kind, const os::HostFiles& host);

    [[nodiscard]] const std::string& unit() const noexcept { return unit_; }
    // Where it is in the hierarchy: "/user.slice/.../stagebox-12-34.scope".
    [[nodiscard]] const std::string& place() const noexcept { return place_; }
    [[nodiscard]] pid_t holder() const noexcept { return holder_.pid(); }
    // Moves a process into a cgroup below the scope's. What the user may not move out of the session, systemd may.
    void attach(const std::string& below, pid_t process);
    // Lets go of it.
    void end() { holder_ = {}; }

  private:
    void ask(const char* oom_policy);
    void wait_for(const std::string& job);

    os::Bus bus_;
    os::Child holder_;
    std::string unit_;
    std::string place_;
};

// Whether the unit of this process has Delegate=yes, by its manager: what it made for users it does not mark in the
// hierarchy. False where nobody can be asked.
bool is_unit_delegated(os::BusKind kind);

}  // namespace sandbox
