// What a jail's first process is told to do: plain memory, which both sides know. Nothing of the
// standard library, since init has none.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "sandbox/plan/step.hpp"
#include "sandbox/raw/near.hpp"
#include "sandbox/spec/fence.hpp"

namespace sandbox {

// A filter as the kernel takes it: struct sock_filter, 8 bytes each.
using FilterCode = NearList<const uint64_t>;

// Everything the child needs. It lies in one piece of memory with what it points to (launch/task_image.hpp), which the
// init program maps, or which a copy of the parent has.
struct ChildTask {
    NearList<const Step> steps;
    Near<const char> texts;      // the plan's, in which those of the steps have their places
    NearList<const int> keep;    // descriptors init keeps open, ascending
    int report_fd = -1;          // FailureRecord goes here; closes on exec
    int control_fd = -1;         // SOCK_SEQPACKET to the parent, see launch/launch.hpp; -1 in a jail in bubblewrap mode
    bool drop_groups = false;    // setgroups(2) is allowed in this id mapping
    bool network_comes = false;  // the network namespace comes over the control socket, or the word that there is none
    bool own_cgroup = false;     // it was put into a cgroup, which becomes the root of all cgroups that it sees

    NearTexts argv;
    NearTexts envp;
    NearTexts executables;
    Near<const char> cwd;
    uint32_t uid = 0;
    uint32_t gid = 0;
    int stdio[3] = {-1, -1, -1};
    bool controlling_terminal = false;
    NearList<const RlimitValue> rlimits;
    uint64_t capabilities = 0;
    int last_capability = 0;  // highest the running kernel knows
    Nested nested_namespaces = Nested::forbidden;
    Fence landlock = Fence::off;
    bool follow_links = false;  // a target that is a symbolic link is followed, within the new root
    FilterCode filter;
    bool has_listener = false;  // see BuildPlan
    FilterCode unreported_filter;
    NearList<FilterCode> more_filters;

    [[nodiscard]] const char* text(PlanText text) const noexcept { return texts.get() + text.at; }
};

// The descriptor on which the init program finds its task.
inline constexpr int task_fd = 3;

}  // namespace sandbox
