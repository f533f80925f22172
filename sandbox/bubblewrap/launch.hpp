// Starting a jail in bubblewrap mode (BubblewrapTerms, spec/spec.hpp): only what was asked for is fenced, everything
// else is the caller's, and its processes may live longer than whoever started it. The terms are those of bubblewrap,
// bwrap(1). Knows nothing of command lines. The jail that a build runs in is launch/launch.hpp's.
#pragma once
#include <functional>
#include <variant>

#include "sandbox/launch/launch.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/plan/setup_error.hpp"

namespace sandbox {

// The jail as its caller sees it. The destructor lets it go on; it is not killed.
class BubblewrapJail {
  public:
    BubblewrapJail(pid_t pid, os::Fd pidfd, os::Fd end) : pid_(pid), pidfd_(std::move(pidfd)), end_(std::move(end)) {}

    // The jail's first process, as it is called outside.
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    // Waits until the command has ended. Where the jail has a PID namespace, what the command left running goes on.
    os::WaitStatus wait();

  private:
    pid_t pid_;
    os::Fd pidfd_;
    os::Fd end_;  // init's word of how the command ended; empty: the first process is the command, or ends with it
};

// Called when the jail's first process is there, in its namespaces, and waits.
using BeforeBubblewrapStart = std::function<void(pid_t)>;

// Builds the jail and starts the command: returns when its exec has happened, or with what went wrong. Descriptors
// without FD_CLOEXEC are inherited. With terms that name a namespace, the calling process enters it, too. The process
// must have one thread.
std::variant<BubblewrapJail, SetupError> launch_bubblewrap(const BubblewrapPlan& plan,
                                                           const BeforeBubblewrapStart& before_start);

}  // namespace sandbox
