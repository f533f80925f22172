// Where processes are among the control groups, by what procfs and the hierarchy's own files say (cgroups(7)). Reads
// only; what is done there is cgroup/tree.hpp's.
#pragma once
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sandbox/os/host_files.hpp"

namespace sandbox {

// What /proc/PID/cgroup says of the hierarchy of version 2, "0::/user.slice/...": the path; empty: nothing.
[[nodiscard]] std::string unified_cgroup(std::string_view text);
// The cgroup of a process in the hierarchy of version 2, as it is seen from this one; empty: in none.
[[nodiscard]] std::string cgroup_of(const os::HostFiles& host, pid_t process);
// 0: nobody knows.
[[nodiscard]] pid_t parent_of(const os::HostFiles& host, pid_t process);

// Where version 2 is mounted: alone, or, beside version 1, where systemd and OpenRC put it then. `type_of`:
// statfs(2)'s of a directory, 0 where there is none. Empty: it is not there.
[[nodiscard]] std::string find_cgroup_mount(const std::function<long(const char* path)>& type_of);

[[nodiscard]] bool is_under_systemd(const os::HostFiles& host);

// A word of a list as cgroup.controllers is one: "cpu io memory pids\n".
[[nodiscard]] bool has_word(std::string_view words, std::string_view word);
// The process whose branch a directory is: "stagebox-12" is that of 12. Nothing for every other name.
[[nodiscard]] std::optional<pid_t> owner_of_branch(std::string_view name);

}  // namespace sandbox
