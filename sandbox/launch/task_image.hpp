// What the supervisor hands to a jail's init: its program, and the plan as one piece of memory. Knows nothing of
// processes (launch).
#pragma once
#include "sandbox/init/task.hpp"
#include "sandbox/os/fd.hpp"

namespace sandbox {

// The init program in a file that exists in memory only and that nobody can change any more (memfd_create(2), file seals
// in fcntl(2)). Made once; borrowed.
int init_program();

// A copy of everything that `task` and `plan` point to, with offsets for pointers, in a file in memory.
os::Fd write_task(const ChildTask& task, const Plan& plan);

}  // namespace sandbox
