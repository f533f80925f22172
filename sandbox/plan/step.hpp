// What is done to make a jail, step by step: plain values, one struct for each kind. A plan (plan/plan.hpp) has a list
// of them, which init (init/steps.hpp) performs; nothing of the standard library, since init has none.
#pragma once
#include <stdint.h>

#include "sandbox/raw/one_of.hpp"

namespace sandbox {

// Slot N of a plan is descriptor first_slot_fd + N in the child, so that overlay options can name it beforehand as
// /proc/self/fd/N.
inline constexpr int first_slot_fd = 300;

struct Slot {
    int number = -1;
    [[nodiscard]] constexpr int descriptor() const noexcept { return first_slot_fd + number; }
};

// A text, as its place among the plan's texts; behind it is a NUL. Not said otherwise, it is the empty one.
struct PlanText {
    uint64_t at = 0;
};

struct PlanBytes {
    PlanText first;
    uint64_t size = 0;
};

// A path below the new root where something is made.
struct Place {
    PlanText path;
    uint32_t parents = 0755;  // mode of the directories above it that are missing
};

// As text, as the kernel takes them.
struct TmpfsOptions {
    PlanText size;  // empty: half of the memory
    PlanText mode;
};

struct OverlayOptions {
    PlanText all;
    PlanText older;  // the same without what came with Linux 6.6
};

// Steps before BecomeRoot run with the caller's own identity, so that they can open what only the caller may reach (a
// store below a home directory of mode 0700); steps after it as the jail's root, so that what they create belongs to
// the jail.
namespace step {

// --- Ids ---

// The process maps its own ids.
struct MapIds {
    Slot proc;  // the host's /proc
    PlanText uid_map;
    PlanText gid_map;
};
// A user namespace in the one there is, with ids of its own.
struct NestUserNamespace {
    MapIds ids;
    bool is_last = false;  // none can be made in it
};
// Checks that no further user namespace can be made.
struct CheckNoNesting {};
// Enters a user namespace that somebody else made.
struct JoinUserNamespace {
    int descriptor = -1;
};
// The jail's uid 0 and gid 0, no supplementary groups.
struct BecomeRoot {};
// The caller's own ids and groups, under whatever numbers.
struct KeepIdentity {};
// The limit of user namespaces below the jail's own.
struct LimitUserNamespaces {
    bool leaves_one = false;  // for a NestUserNamespace that follows; otherwise there are none
};

// --- What is opened of the host ---

// No mount event leaves any more.
struct SeparateMounts {
    bool hears_host = false;  // those of the host still come in
};
// A handle (O_PATH).
struct OpenPath {
    Slot slot;
    PlanText path;
};
// The same for a character device; refused if it is anything else.
struct OpenDevice {
    Slot slot;
    PlanText path;
};
// A detached copy of the host's mounts at `path`.
struct CloneTree {
    Slot slot;
    PlanText path;
};
// A detached copy of a character device; refused if it is anything else.
struct CloneDevice {
    Slot slot;
    PlanText path;
};
// What is in the slot is this file, stat(2)'s st_dev and st_ino.
struct VerifyFile {
    Slot slot;
    PlanText path;
    uint64_t device = 0;
    uint64_t inode = 0;
};

// --- The new root ---

// A scratch tmpfs on the slot, out of sight after Pivot.
struct MountBase {
    Slot slot;
};
struct UseTmpfsRoot {
    TmpfsOptions options;
    uint32_t mode = 0755;
};
struct UseOverlayRoot {
    OverlayOptions options;
};
struct UseTreeRoot {
    Slot tree;
    uint64_t attributes = 0;  // MOUNT_ATTR_*
};
// The new root becomes /, the old one goes away.
struct Pivot {};

// --- Below it ---

struct MountTmpfs {
    Place place;
    TmpfsOptions options;
};
struct MountOverlay {
    PlanText path;
    OverlayOptions options;
};
// Directories for an overlay's changes in the scratch tmpfs.
struct MakeUpper {
    PlanText upper;
    PlanText work;
};
struct AttachTree {
    Slot tree;
    Place place;
    uint64_t attributes = 0;  // MOUNT_ATTR_*
};
struct MountProc {
    Place place;
};
// Read-only.
struct MountSysfs {
    Place place;
};
// One of its own.
struct MountDevpts {
    Place place;
    PlanText gid;  // of terminals; empty: that of who opens them
};
struct MountMqueue {
    Place place;
};
struct MakeDirectory {
    Place place;
    uint32_t mode = 0755;
};
struct MakeLink {
    Place place;
    PlanText points_to;
};
// A file of the scratch tmpfs, mounted.
struct ShowFile {
    Place place;
    PlanBytes content;
    uint32_t mode = 0644;
    PlanText name;  // in the scratch tmpfs
    bool is_writable = false;
};
// A file in the root itself.
struct WriteFile {
    Place place;
    PlanBytes content;
    uint32_t mode = 0666;
};
struct ChangeMode {
    PlanText path;
    uint32_t mode = 0755;
};
// The mount at `path` alone.
struct SetReadOnly {
    PlanText path;
};
// `path` and all below it read-only, where it exists.
struct ProtectPath {
    PlanText path;
    bool only_if_writable = false;  // by the caller
};
// Hidden by an empty object, where it exists.
struct MaskPath {
    PlanText path;
    Slot null_device;  // the host's /dev/null
};

// --- The rest ---

// Network interface lo.
struct BringLoopbackUp {};
struct SetHostName {
    PlanBytes name;
};

}  // namespace step

using Step =
    OneOf<step::MapIds, step::NestUserNamespace, step::CheckNoNesting, step::JoinUserNamespace, step::BecomeRoot,
          step::KeepIdentity, step::LimitUserNamespaces, step::SeparateMounts, step::OpenPath, step::OpenDevice,
          step::CloneTree, step::CloneDevice, step::VerifyFile, step::MountBase, step::UseTmpfsRoot,
          step::UseOverlayRoot, step::UseTreeRoot, step::Pivot, step::MountTmpfs, step::MountOverlay, step::MakeUpper,
          step::AttachTree, step::MountProc, step::MountSysfs, step::MountDevpts, step::MountMqueue,
          step::MakeDirectory, step::MakeLink, step::ShowFile, step::WriteFile, step::ChangeMode, step::SetReadOnly,
          step::ProtectPath, step::MaskPath, step::BringLoopbackUp, step::SetHostName>;

}  // namespace sandbox
