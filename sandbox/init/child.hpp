// What runs behind the fence: from clone to the payload's exec, and init. See init/child.cpp for its rules.
#pragma once
#include <cstddef>
#include <cstdint>

#include "sandbox/plan/plan.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {

// Everything the child needs, as plain pointers and numbers. The parent writes it, with what it points to, into memory
// that the init program maps (launch/task_image.hpp); until then each pointer is an offset from the start of that memory.
struct ChildTask {
    const Step* steps;
    std::size_t step_count;
    const int* keep;  // descriptors init keeps open, ascending
    std::size_t keep_count;
    int report_fd;       // FailureRecord goes here; closes on exec
    int control_fd;      // SOCK_SEQPACKET to the parent, see launch/launch.hpp; -1 in a jail in bubblewrap mode
    bool drop_groups;    // setgroups(2) is allowed in this id mapping
    bool network_comes;  // the network namespace comes over the line, or the word that there is none
    bool own_cgroup;     // it was put into a cgroup, which becomes the root of all cgroups that it sees

    const char* const* argv;
    std::size_t argv_size;  // with the last, null one
    const char* const* envp;
    std::size_t envp_size;
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
    Nested nested_namespaces;
    Fence landlock;
    bool follow_links;  // a target that is a symbolic link is followed, within the new root
    const std::uint64_t* filter;
    std::size_t filter_length;
    bool has_listener;  // see Plan
    const std::uint64_t* unreported_filter;
    std::size_t unreported_filter_length;
    const std::uint64_t* more_filters;  // one after the other
    const std::size_t* more_filter_lengths;
    std::size_t more_filter_count;
};

// The descriptor on which the init program finds its task.
inline constexpr int task_fd = 3;

// What init tells the parent when the payload has ended: waitid(2)'s code and status.
struct PayloadEnd {
    std::int32_t code;
    std::int32_t status;
};

// Walks the plan's steps: the new root is /, nothing runs in it yet. Returns, or reports what failed and ends the process.
void walk_steps(const ChildTask& task) noexcept;
// Becomes the jail's init. Does not return.
[[noreturn]] void child_main(const ChildTask& task) noexcept;
// The jail's PID 1 after set-up (init/init.cpp): reaps, passes signals on, reports the payload's end.
[[noreturn]] void init_main(int control_fd, long payload) noexcept;

// Brings the interface lo of this process's network namespace up (init/loopback.cpp).
long bring_loopback_up() noexcept;

// The second fence (init/landlock.cpp): a Landlock domain in which only what lies below / and the three standard streams can
// be opened (Fence::on), and, from ABI 6 on, only processes and abstract sockets of the same domain reached. Answers its
// descriptor, or fence_missing where this kernel's Landlock is too old for it.
inline constexpr long fence_missing = -95;  // EOPNOTSUPP
long make_fence(Fence kind, const int (&streams)[3]) noexcept;

}  // namespace sandbox
