// What a jail must look like: values only. Knows nothing of how it is made (plan, launch), nor of stages and stores.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sandbox {

// How the jail's user and group ids stand for those of the host (user_namespaces(7)).
//   range:  0..count-1 in the jail are uid_base.. and gid_base.. outside: a block of ids nobody else has.
//   single: 0 in the jail is the caller alone; every other id is unmapped.
enum class IdMode : std::uint8_t { range, single };

struct IdMap {
    IdMode mode = IdMode::single;
    std::uint32_t uid_base = 0;
    std::uint32_t gid_base = 0;
    std::uint32_t count = 1;
    bool operator==(const IdMap&) const = default;
};

enum class Access : std::uint8_t { read_only, read_write };
enum class Network : std::uint8_t { none, host };

// A directory or file of the host, with everything mounted below it, shown at `target`. Always nosuid and nodev.
struct Bind {
    std::string source;
    std::string target;
    Access access = Access::read_only;
};
// One character device of the host, by its path under /dev; checked to be a character device.
struct Device {
    std::string source;
    std::string target;
};
struct Tmpfs {
    std::string target;
    std::uint32_t mode = 0755;
    std::uint64_t size = 0;  // bytes; 0: the kernel's default, half of memory
};
struct Proc {
    std::string target;
};
struct Sysfs {
    std::string target;
};
// A minimal /dev: null, zero, full, random, urandom, tty from the host, a devpts of its own, shm, the usual links.
struct Dev {
    std::string target;
};
struct Mqueue {
    std::string target;
};
struct Directory {
    std::string target;
    std::uint32_t mode = 0755;
};
struct Symlink {
    std::string target;
    std::string points_to;
};
// A read-only file that exists only in the jail.
struct File {
    std::string target;
    std::string content;
    std::uint32_t mode = 0644;
};
// An overlayfs; `lowers` from the top one down. Without `upper` it is read-only.
struct Overlay {
    std::string target;
    std::vector<std::string> lowers;
    std::string upper;
    std::string work;
};

using Mount = std::variant<Bind, Device, Tmpfs, Proc, Sysfs, Dev, Mqueue, Directory, Symlink, File, Overlay>;

struct RlimitValue {
    int resource = 0;  // RLIMIT_*, getrlimit(2)
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

// A compiled seccomp filter: classic BPF as the kernel takes it (struct sock_filter, 8 bytes each). Empty: none.
struct FilterProgram {
    std::vector<std::uint64_t> instructions;
};

// What a jail allows, apart from its file system.
struct Allowance {
    std::uint64_t capabilities = 0;  // bit N: capability N stays in the bounding, permitted and effective sets
    FilterProgram filter;
    std::vector<RlimitValue> rlimits;
};

struct Spec {
    IdMap ids;
    Network network = Network::none;
    std::string hostname = "stagebox";
    // The first mount's target is "/": a Tmpfs, an Overlay or a Bind. The others follow in order.
    std::vector<Mount> mounts;
    // After the mounts: made read-only, or hidden, where they exist (mostly of /proc).
    std::vector<std::string> read_only_paths;
    std::vector<std::string> masked_paths;
    Allowance allow;
};

// What runs in the jail, and its three descriptors (borrowed).
struct Command {
    std::vector<std::string> argv;
    std::vector<std::pair<std::string, std::string>> env;
    std::string cwd = "/";
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    int stdin_fd = -1;
    int stdout_fd = -1;
    int stderr_fd = -1;
    // The terminal on stdin becomes the controlling terminal of the payload's session.
    bool controlling_terminal = false;
};

}  // namespace sandbox
