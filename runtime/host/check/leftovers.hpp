// What other scripts left on the host: mounts in a chroot that nobody is in, loop devices whose file is deleted.
#pragma once
#include "runtime/host/state/devices.hpp"
#include "runtime/host/state/finding.hpp"
#include "runtime/host/state/processes.hpp"
#include "sandbox/os/host_files.hpp"
#include "sandbox/os/mountinfo.hpp"

namespace runtime::host {

// Each with the command that mends it. A chroot that processes are in is somebody's work, and only told of.
[[nodiscard]] Findings find_leftovers(const sandbox::os::HostFiles& host, const sandbox::os::MountTable& mounts,
                                      const std::vector<LoopDevice>& loops, const std::vector<Process>& processes);

}  // namespace runtime::host
