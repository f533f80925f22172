// The mount table of this process's namespace as values, and what changed between two of them. The one place that knows
// of libmount, which reads a table in a process of its own (embed/mount_tables.cpp). Tables are compared here, by the
// ids of their mounts: libmount's own comparison pairs lines by source and target, and so misses a second mount of the
// same thing on the same place, or one that was taken away and made again. Knows nothing of whose mounts they are.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "sandbox/os/host_files.hpp"
#include "sandbox/os/problem.hpp"

namespace sandbox::os {

// One line of /proc/self/mountinfo (proc(5)).
struct MountEntry {
    int id = 0;      // unique while the mount exists; the kernel gives it out again afterwards
    int parent = 0;  // id of the mount it is mounted on
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::string root = {};    // the part of the file system that is shown, as a path inside it
    std::string target = {};  // where
    std::string source = {};  // device, or what the file system calls itself
    std::string fstype = {};
    std::string options = {};
    std::string optional_fields = {};  // "shared:7 master:2": the groups that share its mounts, mount_namespaces(7)
    bool operator==(const MountEntry&) const = default;
};

struct MountTable {
    std::string text;  // as the kernel wrote it
    std::vector<MountEntry> mounts;
};

enum class MountChangeKind : std::uint8_t { mounted, unmounted, moved, remounted };

struct MountChange {
    MountChangeKind kind = MountChangeKind::mounted;
    MountEntry mount;         // as it is now; for unmounted, as it was
    std::string moved_from;   // its target before, for moved
    std::string old_options;  // for remounted
};

// libmount cannot be loaded; what() names the package.
class LibmountMissing : public Error {
  public:
    using Error::Error;
};

// read_mounts and parse_mounts start that process. They throw LibmountMissing, SysError, or std::runtime_error on a
// text that is no mount table.
[[nodiscard]] MountTable read_mounts(const HostFiles& host);
// The same; where the kernel's text is that of `known`, it is `known`, and no process is started.
[[nodiscard]] MountTable read_mounts(const HostFiles& host, const MountTable& known);
[[nodiscard]] MountTable parse_mounts(std::string text);
[[nodiscard]] std::vector<MountChange> diff(const MountTable& before, const MountTable& after);

}  // namespace sandbox::os
