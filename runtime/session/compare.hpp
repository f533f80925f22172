// What changed on the host between two moments, and whether it is this run's doing. Decides by facts that the
// kernel gives (where a mount lies, who descends from whom), never by names. Knows nothing of stages.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/session/host_state.hpp"
#include "sandbox/spec.hpp"

namespace runtime::session {

// What belongs to this run.
struct Ours {
    std::string store;          // absolute, without symbolic links
    pid_t supervisor = 0;       // a child subreaper (prctl(2)), so that what its children lose comes to it
    std::vector<pid_t> wanted;  // its children that are meant to be alive at the second moment
    sandbox::IdMap ids;
};

enum class Kind : std::uint8_t { mount, loop, process };
enum class Owner : std::uint8_t { ours, other };

struct Difference {
    Kind kind = Kind::mount;
    std::string what;
    Owner owner = Owner::other;
    std::string why;  // the fact that decided the owner
    bool operator==(const Difference&) const = default;
};

// essential: everything of ours, and the mounts and loop devices of others.
// everything: also the processes that others started or that ended, which on a desktop never cease.
enum class Scope : std::uint8_t { essential, everything };

// Ours is
//   a mount whose target, source, options or root lie under the store;
//   a loop device whose file lies under the store;
//   a process that began after `before` and descends from the supervisor; or whose uid is of our range and
//   whose nearest ancestor outside the range is one of the supervisor's ancestors: that is where the kernel
//   would hang a process that had got away. (A uid of the range alone is no proof: other runs and containers
//   of the same user have the same range, but a parent of their own.)
// Processes that have ended and were only not reaped yet are no difference.
[[nodiscard]] std::vector<Difference> compare(const HostState& before, const HostState& after, const Ours& ours,
                                              Scope scope = Scope::essential);

}  // namespace runtime::session
