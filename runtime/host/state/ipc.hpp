// What processes share and forget: System V shared memory, semaphores and message queues, POSIX shared memory and
// queues.
#pragma once
#include "runtime/host/state/item.hpp"
#include "sandbox/os/host_files.hpp"
#include "sandbox/os/mountinfo.hpp"

namespace runtime::host {

// Of this process's IPC namespace; POSIX queues where an mqueue is mounted.
[[nodiscard]] Table observe_ipc(const sandbox::os::HostFiles& host, const sandbox::os::MountTable& mounts);

}  // namespace runtime::host
