// What changed in the mount table, and whose it is. Ours is a mount whose target, source, options or root lie under the
// store.
#pragma once
#include "runtime/host/state/difference.hpp"
#include "sandbox/os/mountinfo.hpp"

namespace runtime::host {

void compare_mounts(const sandbox::os::MountTable& before, const sandbox::os::MountTable& after, const Ours& ours,
                    std::vector<Difference>& differences);

}  // namespace runtime::host
