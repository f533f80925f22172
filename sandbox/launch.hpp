// Starting a jail from a plan: clone3, the handshake, and how it ended. Knows nothing of stages, stores or terminals.
#pragma once
#include <signal.h>
#include <sys/resource.h>

#include <variant>

#include "sandbox/failure.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/plan.hpp"

namespace sandbox {

struct Exited {
    int code = 0;
};
struct Signaled {
    int number = 0;
};
// Init was killed, by kill() or from outside, before the payload ended.
struct Killed {};

struct Outcome {
    std::variant<Exited, Signaled, Killed> how;
    struct rusage usage = {};  // of every process the jail had
};

// A running jail. Its end, however it comes, is the end of each of its processes and mounts; the destructor kills it.
class Jail {
  public:
    Jail(os::Child init, os::Fd line) : init_(std::move(init)), line_(std::move(line)) {}

    // Init's process id outside.
    [[nodiscard]] pid_t pid() const noexcept { return init_.pid(); }
    // Readable when no process of the jail is left; for poll and epoll.
    [[nodiscard]] int pidfd() const noexcept { return init_.pidfd(); }
    // Sends a signal to every process of the jail but init.
    void signal(int number);
    // Kills init, and with it all the others.
    void kill() { init_.signal(SIGKILL); }
    // Waits until the jail is gone.
    Outcome wait();

  private:
    os::Child init_;
    os::Fd line_;  // one byte to init: a signal to deliver; one PayloadEnd back; end of file: the supervisor is gone
};

// Builds the jail and starts the payload: returns when the payload's exec has happened, or with what went wrong, and
// then nothing is left of it. The descriptors of the plan must be open. The process must have one thread, because
// the child goes on with a copy of its memory; std::logic_error otherwise.
std::variant<Jail, SetupError> launch(const Plan& plan);

}  // namespace sandbox
