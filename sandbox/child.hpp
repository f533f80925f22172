// What runs behind the fence: from clone to the payload's exec, and init. See child.cpp for its rules.
#pragma once
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <unistd.h>

#include "sandbox/plan.hpp"

namespace sandbox {

// The answer of a system call, or -errno. EINTR cannot be seen: every signal is blocked until the payload runs.
template <class... Args>
long call(long number, Args... args) noexcept {
    const long result = ::syscall(number, args...);
    return result == -1 ? -errno : result;
}

// Everything the child needs, as plain pointers and numbers into memory that the parent made ready.
struct ChildTask {
    const Step* steps;
    std::size_t step_count;
    const int* keep;  // descriptors init keeps open, ascending
    std::size_t keep_count;
    int report_fd;     // FailureRecord goes here; closes on exec
    int line_fd;       // SOCK_SEQPACKET to the parent, see launch.hpp
    bool drop_groups;  // setgroups(2) is allowed in this id mapping

    const char* const* argv;
    const char* const* envp;
    const char* const* executables;
    std::size_t executable_count;
    const char* cwd;
    std::uint32_t uid;
    std::uint32_t gid;
    int stdio[3];
    bool controlling_terminal;
    const RlimitValue* rlimits;
    std::size_t rlimit_count;
    std::uint64_t capabilities;
    int last_capability;  // highest the running kernel knows
    const std::uint64_t* filter;
    std::size_t filter_length;
};

// What init tells the parent when the payload has ended: waitid(2)'s code and status.
struct PayloadEnd {
    std::int32_t code;
    std::int32_t status;
};

// Becomes the jail's init. Does not return.
[[noreturn]] void child_main(const ChildTask& task) noexcept;
// The jail's PID 1 after set-up (init.cpp): reaps, passes signals on, reports the payload's end.
[[noreturn]] void init_main(int line_fd, long payload) noexcept;

}  // namespace sandbox
