// Starting a jail from a plan: clone3, the handshake, and how it ended. Knows nothing of stages, stores or terminals.
#pragma once
#include <signal.h>
#include <sys/resource.h>

#include <functional>
#include <optional>
#include <variant>

#include "sandbox/cgroup/cgroup.hpp"
#include "sandbox/fakeroot/server.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/os/wait_status.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/plan/setup_error.hpp"

namespace sandbox {

struct Outcome {
    os::WaitStatus how;                  // unseen: init was killed, by kill() or from outside, before the payload ended
    struct rusage usage = {};            // of every process the jail had
    std::optional<CgroupUsage> counted;  // by its cgroup, where it had one
};

// A running jail. Its end, however it comes, is the end of each of its processes and mounts; the destructor kills it.
class Jail {
  public:
    Jail(Cgroup cgroup, os::Child init, os::Fd control, os::Fd listener = {}, FakerootServer view = {})
        : cgroup_(std::move(cgroup)),
          init_(std::move(init)),
          control_(std::move(control)),
          listener_(std::move(listener)),
          view_(std::move(view.process)),
          passed_on_(std::move(view.passed_on)) {}

    // Init's process id outside.
    [[nodiscard]] pid_t pid() const noexcept { return init_.pid(); }
    // Readable when no process of the jail is left; for poll and epoll.
    [[nodiscard]] int pidfd() const noexcept { return init_.pidfd(); }
    // Sends a signal to every process of the jail but init.
    void signal(int number);
    // Kills init, and with it all the others.
    void kill() {
        init_.signal(SIGKILL);
        cgroup_.kill();
    }
    // Where the plan has a listener: the descriptor on which the payload's calls ask for an answer, for
    // sandbox::Listener. It must be served or closed, or a call that asks waits for as long as the jail is there; once
    // it is closed, the kernel answers ENOSYS. Empty where none could be had (BuildPlan::unreported_filter).
    [[nodiscard]] os::Fd take_listener() { return std::move(listener_); }
    // With a fakeroot (Fakeroot::on), it is the view that takes the notices; those that are not its own come
    // here. Listener takes both descriptors. Empty without a view.
    [[nodiscard]] os::Fd take_passed_on() { return std::move(passed_on_); }
    // Waits until the jail is gone.
    Outcome wait();

  private:
    Cgroup cgroup_;  // goes last: what is in it must have ended
    os::Child init_;
    // To init: one byte to go on with, then one for each signal to deliver; end of file: the supervisor is gone. Back:
    // one byte when the payload has started, one WaitStatus when it has ended.
    os::Fd control_;
    os::Fd listener_;
    os::Child view_;
    os::Fd passed_on_;
};

// Builds the jail and starts the payload: returns when the payload's exec has happened, or with what went wrong, and
// then nothing is left of it. The descriptors of the plan must be open.
// `before_start` is called with init's process id once its ids are mapped and before it goes on with the plan: for what
// belongs to the jail's namespaces and runs outside, its network. An error that it returns is launch's. Without it, the
// network namespace is made while init builds the root.
// `cgroup`: the jail's own, with its limits in force; empty: it is in that of its caller.
using BeforeStart = std::function<std::optional<SetupError>(pid_t init)>;
// Called when init goes on with the plan.
using WhenCloned = std::function<void()>;
std::variant<Jail, SetupError> launch(const BuildPlan& plan, const BeforeStart& before_start = {},
                                      const WhenCloned& when_cloned = {}, Cgroup cgroup = {});

}  // namespace sandbox
