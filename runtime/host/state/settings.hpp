// Settings of the running kernel that image builds are known to change, the loaded modules, and what binfmt_misc runs.
#pragma once
#include "runtime/host/state/item.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

[[nodiscard]] Table observe_sysctls(const sandbox::os::HostFiles& host);
// No /proc/modules: the kernel has no modules, and the table says so.
[[nodiscard]] Table observe_modules(const sandbox::os::HostFiles& host);
// Where it is mounted: its state, and each entry with its interpreter.
[[nodiscard]] Table observe_binfmt(const sandbox::os::HostFiles& host);

}  // namespace runtime::host
