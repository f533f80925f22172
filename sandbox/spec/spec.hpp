// What a jail must look like: values only. Knows nothing of how it is made (plan, launch), nor of stages and stores.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sandbox/spec/fence.hpp"

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
// none: a network namespace with the loopback interface only; user: one that reaches the host's network through a
// helper that runs as the caller (passt(1)); host: the host's own.
enum class Network : std::uint8_t { none, user, host };
// Where a jail with the network `user` asks for names; whoever starts the helper makes it answer there.
inline constexpr const char* user_network_dns = "10.0.2.3";

// Whether the device files of a tree can be opened; closed: mounted nodev.
enum class DeviceFiles : std::uint8_t { closed, open };

// One file of the host, whatever its name is by now: stat(2)'s st_dev and st_ino.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
};

// A directory or file of the host, with everything mounted below it, shown at `target`. Always nosuid.
struct Bind {
    std::string source;
    std::string target;
    Access access = Access::read_only;
    DeviceFiles devices = DeviceFiles::closed;
    // What the source must turn out to be; anything else is an error.
    std::optional<FileIdentity> identity = {};
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
// A devpts of the jail's own. It needs ids 0 in the user namespace that mounts it.
struct Devpts {
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
// A file that exists only in the jail, mounted: it hides what is at `target`, and changes nothing there.
struct File {
    std::string target;
    std::string content;
    std::uint32_t mode = 0644;
    Access access = Access::read_only;
};
// A file that is written into the jail's root, over what is there.
struct WrittenFile {
    std::string target;
    std::string content;
    std::uint32_t mode = 0666;
};
// The mount at `target`, and none below it, becomes read-only.
struct ReadOnly {
    std::string target;
};
struct Chmod {
    std::string target;
    std::uint32_t mode = 0755;
};
// `target` and all below it read-only, where it exists and could be written.
struct Protect {
    std::string target;
};
// Where an overlay's changes go.
//   staged:    `upper`, which whoever made it will sync; never synced by the overlay
//   kept:      `upper`, as any file system keeps what it is given
//   discarded: memory
enum class Changes : std::uint8_t { staged, kept, discarded };
// An overlayfs; `lowers` from the top one down. It is read-only without `upper`, unless changes are discarded.
struct Overlay {
    std::string target;
    std::vector<std::string> lowers;
    std::string upper;
    std::string work;
    Changes changes = Changes::staged;
};

using Mount = std::variant<Bind, Device, Tmpfs, Proc, Sysfs, Dev, Devpts, Mqueue, Directory, Symlink, File, WrittenFile,
                           ReadOnly, Chmod, Protect, Overlay>;

// Two mounts on one target: an error, or the later one hides the earlier. Where it is allowed, a target that is a
// symbolic link is followed, within the jail's root.
enum class Overlap : std::uint8_t { refused, allowed };

// A compiled seccomp filter: classic BPF as the kernel takes it (struct sock_filter, 8 bytes each). Empty: none.
struct FilterProgram {
    std::vector<std::uint64_t> instructions;
};

// What becomes of the calls that a filter denies.
//   silent:   the kernel answers them, and nobody hears of it.
//   reported: they wait until the supervisor, who learns of each, has answered them (sandbox/fakeroot/listener.hpp).
//   Calls that
//             are allowed, or answered ENOSYS, cost what they did before.
//   observed: the same, and the calls that the filter allows wait too, so that the supervisor sees them all but the few
//             of observe_calls() (sandbox/filter/denials.hpp). Slow: for learning what a command needs.
enum class Denials : std::uint8_t { silent, reported, observed };

// What lets a jail, or the build around it, reach further than one that ships as `strict`: one word each, so that a
// search finds every use. profile/permissions.hpp has the words, what they mean and where each comes from. host_network
// and devices are in a profile's gift, and a stage has to make use of them; the others are in force as soon as they are
// there.
enum class Permission : std::uint8_t {
    host_network,
    devices,
    nested_namespaces,
    mounts,
    ptrace,
    new_keyrings,
    no_landlock,
    capabilities,
    system_calls,
    proc_paths,
    host_services,
    files_outside,
    container_proc,
};

class Permissions {
  public:
    constexpr void add(Permission one) noexcept { bits_ |= bit(one); }
    constexpr void drop(Permission one) noexcept { bits_ &= ~bit(one); }
    constexpr void add(Permissions others) noexcept { bits_ |= others.bits_; }
    constexpr void drop(Permissions others) noexcept { bits_ &= ~others.bits_; }
    [[nodiscard]] constexpr bool has(Permission one) const noexcept { return (bits_ & bit(one)) != 0; }
    // All that `others` has.
    [[nodiscard]] constexpr bool covers(Permissions others) const noexcept { return (others.bits_ & ~bits_) == 0; }
    [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
    constexpr bool operator==(const Permissions&) const = default;

  private:
    static constexpr std::uint32_t bit(Permission one) noexcept { return 1U << static_cast<unsigned>(one); }
    std::uint32_t bits_ = 0;
};

// What becomes of limits that need a cgroup where none can be had.
//   refuse: the jail is not started.
//   rlimits: those of memory and pids are kept by setrlimit(2), which counts less: see spec/limits.hpp; those of CPU
//   and disks are not kept.
enum class LimitFallback : std::uint8_t { refuse, rlimits };

// What a jail may use up. What is not set is not limited. `time` and `idle` are kept by whoever waits for the jail; the
// others by its cgroup (cgroup/cgroup.hpp).
struct Limits {
    std::optional<std::uint64_t> pids;         // processes and threads at one time
    std::optional<std::uint64_t> memory;       // bytes, page cache included
    std::optional<std::uint32_t> cpu;          // thousandths of a core: 2500 is two cores and a half
    std::optional<std::uint32_t> io_weight;    // 1 to 10000 against others that use the disk, who have 100
    std::optional<std::chrono::seconds> time;  // from the start of the command to its end
    std::optional<std::chrono::seconds> idle;  // without a byte of output
    std::optional<LimitFallback> fallback;     // refuse where it is not said
    bool operator==(const Limits&) const = default;
};

// What a jail allows, apart from its file system.
struct Allowance {
    std::uint64_t capabilities = 0;  // bit N: capability N stays in the bounding, permitted and effective sets
    FilterProgram filter;
    // Installed before it, each for itself: a call has to pass them all.
    std::vector<FilterProgram> more_filters = {};
    std::vector<RlimitValue> rlimits;
    Nested nested_namespaces = Nested::forbidden;
    Fence landlock = Fence::on;
    Permissions granted;
};

// What a jail whose one id is the caller's (IdMode::single) shows of owners and ids.
//   off: what the kernel knows: every file is root's, and no id but 0 can be had.
//   on: what a root with all ids would see (sandbox/fakeroot/server.hpp). Calls that ask for it are slower.
enum class Fakeroot : std::uint8_t { off, on };

// Whether a kind of namespace is the jail's own, or the one of its caller.
enum class Share : std::uint8_t { caller, own };
// User namespaces inside the jail: as the kernel allows them; checked to be impossible; made impossible, and checked.
enum class InnerUsers : std::uint8_t { allowed, checked_off, off };

// A jail in bubblewrap mode shares with its caller whatever it was not told to fence, as bubblewrap does (bwrap(1)):
// descriptors, environment, session, signals. Its processes may outlive its supervisor. See bubblewrap/launch.hpp.
struct BubblewrapTerms {
    Share user = Share::caller;
    Share pid = Share::caller;
    Share ipc = Share::caller;
    Share uts = Share::caller;
    Share cgroup = Share::caller;
    InnerUsers inner_users = InnerUsers::allowed;
    // Somebody else writes the id maps, between bubblewrap/launch.hpp's two handshakes.
    bool ids_come_from_outside = false;
    bool dies_with_parent = false;
    bool new_session = false;
    bool is_pid_1 = false;                           // the command itself is; no init
    int user_namespace = -1;                         // entered before anything else, instead of one of its own
    int pid_namespace = -1;                          // the same; one of its own is then a child of it
    int second_user_namespace = -1;                  // entered when everything is mounted; borrowed, as all here
    int block_fd = -1;                               // something must be readable before the command starts
    int sync_fd = -1;                                // stays open as long as the jail has a process
    std::vector<std::string> locks = {};             // files, in the jail, that carry a read lock for as long
    std::optional<std::uint64_t> capabilities = {};  // as the mask in Allowance; unset: those the caller has
    std::vector<FilterProgram> filters = {};
    // Where the command starts: the first of these that can be entered. PWD says which.
    std::vector<std::string> directories = {};
};

// What every jail has.
struct Spec {
    IdMap ids;
    Network network = Network::none;
    std::string hostname = "stagebox";  // empty: the caller's stays
    // The first mount's target is "/": a Tmpfs, an Overlay or a Bind. The others follow in order.
    std::vector<Mount> mounts;
    Overlap overlap = Overlap::refused;
};

// A jail for a build, or for one command: all that a profile fences, it fences.
struct BuildSpec : Spec {
    // After the mounts: made read-only, or hidden, where they exist (mostly of /proc).
    std::vector<std::string> read_only_paths;
    std::vector<std::string> masked_paths;
    Allowance allow;
    std::string profile;  // where the allowance is from, for messages
    Denials denials = Denials::silent;
    Fakeroot fakeroot = Fakeroot::off;
    Limits limits;
};

// A jail in bubblewrap mode.
struct BubblewrapSpec : Spec {
    BubblewrapTerms terms;
};

// What runs in the jail, and its three descriptors (borrowed).
struct Command {
    std::vector<std::string> argv;
    std::string program;  // what is executed, where it is not argv[0]
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
