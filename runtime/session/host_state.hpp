// What can be seen of the host session from outside a jail: its mounts, loop devices and processes, at one
// moment. Values only; whose they are is compare.hpp's matter.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/os/mountinfo.hpp"

namespace runtime::session {

struct LoopDevice {
    std::string name;     // loop0
    std::string backing;  // the file behind it, as the kernel last knew its path
    bool deleted = false;
    bool operator==(const LoopDevice&) const = default;
};

struct Process {
    pid_t pid = 0;
    pid_t parent = 0;
    std::uint32_t uid = 0;    // effective
    char state = '?';         // proc_pid_stat(5); Z is a process that has ended and waits for its parent
    int terminal = 0;         // device number of the controlling terminal; 0: none
    std::uint64_t start = 0;  // clock ticks after boot; pid and start together name a process for good
    std::string comm;
};

struct HostState {
    sandbox::os::MountTable mounts;
    std::vector<LoopDevice> loops;
    std::vector<Process> processes;  // by pid
};

// Reads all of it. A process that ends while it is read is left out; so are the kernel's own threads. Throws
// SysError, LibmountMissing.
[[nodiscard]] HostState observe();

// The parts, also used alone. No /sys: no loop devices.
[[nodiscard]] std::vector<LoopDevice> read_loops();
[[nodiscard]] std::vector<Process> read_processes();

// Null if there is none; `processes` ordered by pid.
[[nodiscard]] const Process* find_process(const std::vector<Process>& processes, pid_t pid);

}  // namespace runtime::session
