// Files that exist in memory only; memfd_create(2). Knows nothing of what is in them.
#pragma once
#include <string>
#include <string_view>

#include "sandbox/os/fd.hpp"

namespace sandbox::os {

// Empty, to read and to write. `name` is for those who look at /proc/PID/fd.
Fd new_memory_file(const std::string& name);

// All that is in it; moves its offset to the end.
std::string content_of(const Fd& file);

// A program that any user may execute and nobody can write any more, to be started by execveat(2).
Fd new_program_file(const std::string& name, std::string_view program);

}  // namespace sandbox::os
