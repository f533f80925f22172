// The network `user`: a jail's own network namespace, with a way out through pasta(1) (Debian's package passt), which
// carries its connections over ordinary sockets of the host. The jail has the address 10.0.2.100 and the host's routes;
// it reaches what the host reaches from its own addresses, but neither the host's loopback device nor, from outside, is
// anything in the jail reached. Knows nothing of stages.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "runtime/jail/traffic.hpp"
#include "sandbox/launch/launch.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/probe/probe.hpp"

namespace runtime::jail {

// One pasta, for one jail. It is killed with this object, and by the kernel when this process dies (PR_SET_PDEATHSIG),
// so it does not outlive either.
class UserNetwork {
  public:
    // Starts pasta on the network namespace of `jail`, a process whose ids are mapped and that waits, and returns when
    // the namespace has a default route: at most 10 s. Else what went wrong, and nothing is left.
    // pasta runs in the jail's user namespace, as the jail's root: outside, that is an unprivileged id, or the
    // caller's.
    std::optional<sandbox::SetupError> start(pid_t jail);
    // That pasta has ended although nobody asked it to, in words; for who wonders why a command failed.
    [[nodiscard]] std::optional<std::string> why_lost() const;
    // What went through it so far, also after the jail's end; nothing where no network was started.
    [[nodiscard]] std::optional<Traffic> traffic() const;

  private:
    sandbox::os::Child pasta_;
    sandbox::os::Fd routes_;  // asks the jail's network namespace, and keeps it there
    int interface_ = 0;
    sandbox::os::Fd log_;  // what pasta says: a file in memory, so it never waits for a reader
};

// sandbox::launch() with the network that `spec` asks for; `network` must outlive the jail. What `user` lacks here,
// pasta or /dev/net/tun, is an error before anything is started: never another network. So is a payload with
// CAP_NET_ADMIN or CAP_NET_RAW, which could reach the host's loopback device by packets of its own making.
// `before_building` is called when the jail's first process is there, with its ids and network, and waits to build it;
// without it a jail starts sooner (sandbox/launch/launch.hpp).
// `cgroup`: the jail's own; may be empty.
using BeforeBuilding = std::function<void(const sandbox::BuildPlan& plan, pid_t init)>;
std::variant<sandbox::Jail, sandbox::SetupError> launch(const sandbox::BuildSpec& spec, const sandbox::Command& command,
                                                        UserNetwork& network,
                                                        const BeforeBuilding& before_building = {},
                                                        const sandbox::WhenCloned& when_cloned = {},
                                                        sandbox::Cgroup cgroup = {});

// Whether the network `user` can be had here, found out by starting one for a process that does nothing. The process
// must have one thread.
[[nodiscard]] sandbox::Finding probe_user_network();

}  // namespace runtime::jail
