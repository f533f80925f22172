// What init is told of a payload's limits and fences. Nothing of the standard library, since init has none.
#pragma once
#include <stdint.h>

namespace sandbox {

struct RlimitValue {
    int resource = 0;  // RLIMIT_*, getrlimit(2)
    uint64_t soft = 0;
    uint64_t hard = 0;
    bool operator==(const RlimitValue&) const = default;
};

// Whether the payload may make user namespaces of its own. Forbidden: the jail's limit of them is 0, whatever the
// filter says, and that it holds is tried before the payload starts.
enum class Nested : uint8_t { forbidden, allowed };
// Landlock as a second fence (landlock(7)).
//   on:        around the jail's file system, its processes, signals and abstract sockets.
//   processes: without the file system, for a payload that mounts: Landlock forbids every change of the mount tree.
enum class Fence : uint8_t { off, processes, on };

}  // namespace sandbox
