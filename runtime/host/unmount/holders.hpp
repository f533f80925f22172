// Who keeps mounts and loop devices busy: the processes that have their working directory, their root, their program, a
// mapped or an open file there. By the kernel's own ids of mounts, so that a bind mount, a chroot or a mount that
// another one hides is told from what has the same path. Knows nothing of what is to be done about it.
#pragma once
#include <set>

#include "runtime/host/state/processes.hpp"
#include "sandbox/os/host_files.hpp"
#include "sandbox/os/mountinfo.hpp"

namespace runtime::host {

struct Hold {
    pid_t pid = 0;
    std::string comm;
    std::string way;        // "cwd", "root", "exe", "map", "fd 3"
    std::string path;       // of what is held, as this process sees it
    int mount = 0;          // id of the mount that it is on; 0: none of those that were asked for
    std::string loop = {};  // the loop device that it is, as "loop0"; empty: none of those
    std::string root = {};  // the process's root directory
    bool operator==(const Hold&) const = default;
};

struct Holds {
    std::vector<Hold> holds;
    std::size_t unseen = 0;  // how many processes are not ours to look into (ptrace(2), access mode checks)
};

// What `processes` hold of these mounts and loop devices. A process in another mount namespace holds other mounts,
// which are copies of these: it is not in the answer.
[[nodiscard]] Holds read_holds(const sandbox::os::HostFiles& host, const std::vector<Process>& processes,
                               const std::vector<sandbox::os::MountEntry>& mounts,
                               const std::set<std::string>& loops = {});

// "process 12 (sh): cwd /srv/a, fd 3 /srv/a/log": of one process, at most three ways.
[[nodiscard]] std::vector<std::string> describe(const std::vector<Hold>& holds);

}  // namespace runtime::host
