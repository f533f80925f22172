// A child process by pid and pidfd. Knows nothing of jails.
#pragma once
#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/wait_status.hpp"

namespace sandbox::os {

// How a process ended, and what it and the children it waited for used.
struct Ending {
    WaitStatus how;
    struct rusage usage = {};
};
// "ended with exit code 3", "was ended by signal 9 (Killed)"
std::string in_words(WaitStatus how);

// Owns a child: the destructor kills it and waits, so that no path through the program leaves one behind.
class Child {
  public:
    Child() = default;
    Child(pid_t pid, Fd pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}
    Child& operator=(Child&& other) noexcept;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    // Readable (poll, epoll) when the process has ended; pidfd_open(2).
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
    explicit operator bool() const noexcept { return pid_ > 0; }
    // Sends a signal; one to a process that has ended is no error.
    void signal(int number) const;
    // Waits for the end and reaps.
    Ending wait();

  private:
    pid_t pid_ = -1;
    Fd pidfd_;
};

// fork(2) with namespaces and a pidfd: `flags` are CLONE_NEW* of the low 32 bits. By clone3(2), or by clone(2) where a
// container's filter refuses the newer call: filters cannot look into its structure, so many answer ENOSYS or EPERM to
// it. With `cgroup`, a directory of cgroups of version 2, it is born there, or not at all: only the newer call can do
// that. In the child, signals that the parent handles are back at their default; what is blocked stays so. Returns the
// child's pid, 0 in the child, or -errno; `pidfd` is close-on-exec. The raw call: a child that does more than system
// calls finds what glibc knows about its process wrong.
long clone_process(std::uint64_t flags, int& pidfd, int cgroup = -1) noexcept;

struct Captured {
    WaitStatus how;
    std::string standard_error;
};

// Open files of a helper; -1: `path` is executed, the stream is /dev/null.
struct HelperFiles {
    int program = -1;
    int input = -1;
    int output = -1;
};

// Forks and executes `path` with a fixed, clean environment (PATH, LC_ALL=C.UTF-8), and keeps what it says on standard
// error. The caller waits with finish_helper(). A program that cannot be executed exits with 127.
struct Helper {
    Child child;
    Fd standard_error;
};
Helper start_helper(const std::string& path, const std::vector<std::string>& argv, const HelperFiles& files = {});
Captured finish_helper(Helper helper);

}  // namespace sandbox::os
