// What a jail's first process is told to do, and what it tells: plain memory, which both sides know.
#pragma once
#include <cstddef>
#include <cstdint>

#include "sandbox/plan/plan.hpp"

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
    bool network_comes;  // the network namespace comes over the control socket, or the word that there is none
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

}  // namespace sandbox
