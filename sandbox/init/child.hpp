// What runs behind the fence: from clone to the payload's exec, and init. See init/child.cpp for its rules.
#pragma once
#include "sandbox/init/task.hpp"

namespace sandbox {

// Walks the plan's steps: the new root is /, nothing runs in it yet. Returns, or reports what failed and ends the
// process.
void walk_steps(const ChildTask& task) noexcept;
// Becomes the jail's init. Does not return.
[[noreturn]] void child_main(const ChildTask& task) noexcept;

}  // namespace sandbox
