// Settings of the running kernel that image builds are known to change, the loaded modules, and what binfmt_misc runs.
#pragma once
#include "runtime/host/state/item.hpp"

namespace runtime::host {

[[nodiscard]] Table observe_sysctls();
// No /proc/modules: the kernel has no modules, and the table says so.
[[nodiscard]] Table observe_modules();
// Where it is mounted: its state, and each entry with its interpreter.
[[nodiscard]] Table observe_binfmt();

}  // namespace runtime::host
