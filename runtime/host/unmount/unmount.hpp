// What `session unmount DIR` will do: which mounts at and below a directory go, in which order, with their loop
// devices, and what stays since the session needs it. A value, made from a look at the host; unmount/act.hpp carries it
// out.
#pragma once
#include <string>
#include <vector>

#include "runtime/host/state/devices.hpp"
#include "runtime/host/unmount/holders.hpp"
#include "sandbox/os/host_files.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/mountinfo.hpp"
#include "sandbox/os/problem.hpp"

namespace runtime::host {

// unshare: a mount that has a peer outside of the tree (mount_namespaces(7)), as `mount --rbind /dev` makes one,
// becomes private. To unmount something on it would else unmount it from the peer too: the host's /dev/pts goes with a
// chroot's.
// detach: takes the file from a loop device, loop(4).
enum class StepKind : std::uint8_t { unshare, unmount, detach };

// refused: it stays, by the plan. busy: held by somebody, or by what is on it. failed: the kernel's answer was final.
enum class StepState : std::uint8_t { planned, done, refused, busy, failed };

struct Step {
    StepKind kind = StepKind::unmount;
    sandbox::os::MountEntry mount = {};  // of unshare, unmount
    LoopDevice loop = {};                // of detach
    std::vector<Hold> holds = {};        // who keeps it busy, as far as it was seen
    StepState state = StepState::planned;
    std::string peer = {};              // of unshare: the place of the mount outside of the tree
    sandbox::os::Problem problem = {};  // of refused, busy and failed
};

struct UnmountPlan {
    std::string directory;
    std::vector<Step> steps;  // in the order in which they are done: what is on top first
    std::size_t unseen = 0;   // processes that are not ours to look into
};

// Who asks, and what is theirs.
struct Caller {
    pid_t pid = 0;
    std::vector<std::string> homes = {};        // without symbolic links
    std::vector<std::string> boot_mounts = {};  // what fstab(5) mounts
};

// This process; with sudo, the one who called it too.
[[nodiscard]] Caller read_caller(const sandbox::os::HostFiles& host);

// What has been seen, borrowed.
struct UnmountScene {
    const sandbox::os::MountTable& mounts;
    const std::vector<LoopDevice>& loops;
    const std::vector<Process>& processes;
};

// The mounts at and below a directory, in the order in which they can go: what is mounted on another one, or over it,
// before it.
[[nodiscard]] std::vector<sandbox::os::MountEntry> mounts_in(const sandbox::os::MountTable& table,
                                                             const std::string& directory);

// Those with a mount or their file in the tree.
[[nodiscard]] std::vector<LoopDevice> loops_in(const std::vector<LoopDevice>& loops,
                                               const std::vector<sandbox::os::MountEntry>& tree,
                                               const std::string& directory);

// `directory` is absolute, without symbolic links. Refused are, unless `directory` is exactly the mount's place: the
// host's /dev, /proc, /sys, /run and /run/user, the mounts that the caller's home is on, what /etc/fstab mounts, and
// what a process of the session holds. Always refused are the root, which the kernel would make read-only, and a copy
// that would take its original along. What a refused one is mounted on stays too.
[[nodiscard]] UnmountPlan plan_unmount(const std::string& directory, const UnmountScene& scene, const Holds& holds,
                                       const Caller& caller);

[[nodiscard]] bool is_held_by(const Step& step, const Hold& hold);

// Nothing stays that the plan knows of: every step that was to be done is.
[[nodiscard]] bool is_all_done(const UnmountPlan& plan);

// What to type: "sudo stagebox session unmount OPTION DIRECTORY", without sudo for root.
[[nodiscard]] std::string unmount_command(const std::string& directory, const std::string& option = {});

// The place of a mount, or the device.
[[nodiscard]] std::string subject_of(const Step& step);
// "unmount /srv/a/dev (devtmpfs)", with what became of it, and who or what keeps it on lines of their own.
[[nodiscard]] std::string to_text(const Step& step);
// {"directory", "steps": [{"act", "subject", "type", "state", "why", "remedy", "holders": [{"pid", "command", "way",
// "path"}]}], "unseen"}
[[nodiscard]] sandbox::os::Json to_json(const UnmountPlan& plan);

}  // namespace runtime::host
