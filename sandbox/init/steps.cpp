#include "sandbox/init/steps.hpp"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sandbox/init/loopback.hpp"
#include "sandbox/raw/fd_message.hpp"
#include "sandbox/raw/resolve.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {
namespace {

// Whether the symbolic link has that text.
bool has_text(long parent, const char* name, const char* text) noexcept {
    char there[longest_path];
    const long size = call(SYS_readlinkat, parent, name, there, sizeof there);
    if (size < 0) return false;
    for (long i = 0; i < size; ++i) {
        // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the kernel wrote it
        if (text[i] == '\0' || text[i] != there[i]) return false;
    }
    return text[size] == '\0';
}

long device_to_slot(long fd, Slot slot) noexcept {
    const long placed = to_slot(fd, slot);
    if (placed < 0) return placed;
    mode_t type = 0;
    const long known = file_type(placed, &type);
    if (known < 0) return known;
    return type == S_IFCHR ? 0 : -ENODEV;
}

}  // namespace

long StepWalk::act(const step::CheckNoNesting& /*one*/) noexcept {
    return call(SYS_unshare, CLONE_NEWUSER) < 0 ? 0 : -EEXIST;
}

long StepWalk::act(const step::JoinUserNamespace& one) noexcept {
    return call(SYS_setns, one.descriptor, CLONE_NEWUSER);
}

long StepWalk::act(const step::KeepIdentity& /*one*/) noexcept {
    return call(SYS_umask, 0);
}

long StepWalk::act(const step::SeparateMounts& one) noexcept {
    mount_attr wanted = {};
    wanted.propagation = one.hears_host ? MS_SLAVE : MS_PRIVATE;
    return call(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &wanted, sizeof wanted);
}

long StepWalk::act(const step::OpenPath& one) const noexcept {
    return to_slot(call(SYS_openat, AT_FDCWD, text(one.path), O_PATH | O_CLOEXEC), one.slot);
}

long StepWalk::act(const step::OpenDevice& one) const noexcept {
    constexpr int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    return device_to_slot(call(SYS_openat, AT_FDCWD, text(one.path), flags), one.slot);
}

// Always recursive: copying only the top of a tree whose lower mounts are locked would show what they hide, and
// the kernel refuses it with EINVAL.
long StepWalk::act(const step::CloneTree& one) const noexcept {
    constexpr unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
    return to_slot(call(SYS_open_tree, AT_FDCWD, text(one.path), flags), one.slot);
}

long StepWalk::act(const step::CloneDevice& one) const noexcept {
    constexpr unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW;
    return device_to_slot(call(SYS_open_tree, AT_FDCWD, text(one.path), flags), one.slot);
}

long StepWalk::act(const step::VerifyFile& one) noexcept {
    struct stat status = {};
    const long answer = call(SYS_newfstatat, one.slot.descriptor(), "", &status, AT_EMPTY_PATH);
    if (answer < 0) return answer;
    return status.st_ino == one.inode && status.st_dev == one.device ? 0 : -ESTALE;
}

long StepWalk::act(const step::MountBase& one) noexcept {
    const long tree = new_tmpfs("", "0755");
    if (tree < 0) return tree;
    const long moved = move_tree(tree, one.slot.descriptor());
    if (moved < 0) return moved;
    base_ = static_cast<int>(tree);
    const long made = call(SYS_mkdirat, base_, "root", 0755);
    return made < 0 ? made : call(SYS_mkdirat, base_, "empty", 0555);
}

long StepWalk::adopt_root(long tree) noexcept {
    if (tree < 0) return tree;
    const long moved = call(SYS_move_mount, tree, "", base_, "root", MOVE_MOUNT_F_EMPTY_PATH);
    if (moved < 0) return moved;
    targets_.set_root(tree);
    return 0;
}

// An unlimited one is a directory of the scratch tmpfs, which costs nothing; a limited one needs a file system of its
// own.
long StepWalk::act(const step::UseTmpfsRoot& one) noexcept {
    if (text(one.options.size)[0] != '\0') return adopt_root(new_tmpfs_of(one.options));
    const long allowed = call(SYS_fchmodat, base_, "root", one.mode);
    if (allowed < 0) return allowed;
    return adopt_root(call(SYS_open_tree, base_, "root", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

long StepWalk::act(const step::UseOverlayRoot& one) noexcept {
    const long there = call(SYS_fchdir, base_);
    if (there < 0) return there;
    const long mounted = overlay_on("root", one.options);
    if (mounted < 0) return mounted;
    const long root = call(SYS_openat, base_, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    targets_.set_root(root);
    return root;
}

long StepWalk::act(const step::UseTreeRoot& one) noexcept {
    const long set = set_attributes(one.tree.descriptor(), one.attributes);
    return set < 0 ? set : adopt_root(one.tree.descriptor());
}

// Overlays are mounted by mount(2): before Linux 6.8 the new API takes only 256 bytes of lower directories. The
// layers are named as /proc/self/fd/N, so only the caller's identity, which opened them, had to reach them.
long StepWalk::overlay_on(const char* target, const OverlayOptions& options) const noexcept {
    constexpr unsigned long flags = MS_NOSUID | MS_NODEV;
    const long first = call(SYS_mount, "overlay", target, "overlay", flags, text(options.all));
    return first == -EINVAL ? call(SYS_mount, "overlay", target, "overlay", flags, text(options.older)) : first;
}

long StepWalk::act(const step::MountOverlay& one) const noexcept {
    const long target = targets_.resolve(text(one.path));
    if (target < 0) return target;
    const long there = call(SYS_fchdir, target);
    if (there < 0) return there;
    return overlay_on(".", one.options);
}

long StepWalk::act(const step::AttachTree& one) noexcept {
    const long set = set_attributes(one.tree.descriptor(), one.attributes);
    return set < 0 ? set : targets_.attach(one.tree.descriptor(), one.place);
}

long StepWalk::act(const step::MountProc& one) noexcept {
    return attach_new(new_filesystem("proc", nullptr, 0, no_suid_dev_exec), one.place);
}

long StepWalk::act(const step::MountSysfs& one) noexcept {
    return attach_new(new_filesystem("sysfs", nullptr, 0, no_suid_dev_exec | MOUNT_ATTR_RDONLY), one.place);
}

long StepWalk::act(const step::MountMqueue& one) noexcept {
    return attach_new(new_filesystem("mqueue", nullptr, 0, no_suid_dev_exec), one.place);
}

long StepWalk::act(const step::MakeLink& one) noexcept {
    const char* name = nullptr;
    const long parent = targets_.make_parent(one.place, &name);
    if (parent < 0) return parent;
    const long made = call(SYS_symlinkat, text(one.points_to), parent, name);
    const bool is_same = made == -EEXIST && has_text(parent, name, text(one.points_to));
    targets_.release(parent);
    return is_same ? 0 : made;
}

// The file is made in the scratch tmpfs and shown from there, so that it never enters a layer.
long StepWalk::write_all(long file, const PlanBytes& content) const noexcept {
    const char* const begin = text(content.first);
    for (uint64_t done = 0; done < content.size;) {
        const long wrote = call(SYS_write, file, begin + done, content.size - done);
        if (wrote < 0) return wrote;
        done += static_cast<uint64_t>(wrote);
    }
    return 0;
}

long StepWalk::act(const step::ShowFile& one) noexcept {
    const long file = call(SYS_openat, base_, text(one.name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) return file;
    const long filled = write_all(file, one.content);
    if (filled < 0) return filled;
    const long allowed = call(SYS_fchmod, file, one.mode);
    call(SYS_close, file);
    if (allowed < 0) return allowed;
    const long tree = call(SYS_open_tree, base_, text(one.name), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) return tree;
    const long set = set_attributes(tree, no_suid_dev | (one.is_writable ? 0 : MOUNT_ATTR_RDONLY));
    return set < 0 ? set : attach_new(tree, one.place);
}

// In place, as open(2) with O_CREAT and O_TRUNC does it: what is there keeps its mode.
long StepWalk::act(const step::WriteFile& one) noexcept {
    long file = open_below(targets_.root(), text(one.place.path), O_WRONLY | O_TRUNC, Links::in_root);
    if (file == -ENOENT) {
        const char* name = nullptr;
        const long parent = targets_.make_parent(one.place, &name);
        if (parent < 0) return parent;
        constexpr int flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC;
        file = call(SYS_openat, parent, name, flags, one.mode);
        targets_.release(parent);
    }
    if (file < 0) return file;
    const long filled = write_all(file, one.content);
    call(SYS_close, file);
    return filled;
}

// By the handle's name below the host's /proc, which is / still: chmod(2) takes no handle before Linux 6.6.
long StepWalk::act(const step::ChangeMode& one) const noexcept {
    const long there = open_below(targets_.root(), text(one.path), O_PATH, Links::in_root);
    if (there < 0) return there;
    const long handle = call(SYS_dup3, there, first_slot_fd - 3, O_CLOEXEC);
    if (handle < 0) return handle;
    static_assert(first_slot_fd - 3 == 297);
    const long changed = call(SYS_fchmodat, AT_FDCWD, "/proc/self/fd/297", one.mode);
    call(SYS_close, handle);
    call(SYS_close, there);
    return changed;
}

long StepWalk::act(const step::SetReadOnly& one) const noexcept {
    const char* const path = text(one.path);
    const long there = is_root(path) ? targets_.root() : targets_.resolve(path);
    if (there < 0) return there;
    mount_attr wanted = {};
    wanted.attr_set = MOUNT_ATTR_RDONLY;
    return call(SYS_mount_setattr, there, "", AT_EMPTY_PATH, &wanted, sizeof wanted);
}

long StepWalk::act(const step::MakeUpper& one) const noexcept {
    const long upper = call(SYS_mkdirat, base_, text(one.upper), 0755);
    return upper < 0 ? upper : call(SYS_mkdirat, base_, text(one.work), 0755);
}

// A copy of what is at `path`, read-only, over itself. What is not there needs no protection.
long StepWalk::act(const step::ProtectPath& one) const noexcept {
    const long target = targets_.resolve(text(one.path));
    if (target < 0) return target == -ENOENT ? 0 : target;
    if (one.only_if_writable && call(SYS_faccessat2, target, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) < 0) return 0;
    const long tree =
        call(SYS_open_tree, target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (tree < 0) return tree;
    const long set = set_attributes(tree, no_suid_dev_exec | MOUNT_ATTR_RDONLY);
    return set < 0 ? set : move_tree(tree, target);
}

// The mask is an object of the host or of the scratch tmpfs, never something of that name in the root. Both are where
// they are
// mounted: before Linux 6.15 a tree that is still detached cannot be copied once more (EINVAL).
long StepWalk::act(const step::MaskPath& one) const noexcept {
    const long target = targets_.resolve(text(one.path));
    if (target < 0) return target == -ENOENT ? 0 : target;
    mode_t type = 0;
    const long known = file_type(target, &type);
    if (known < 0) return known;
    const long from = type == S_IFDIR ? base_ : one.null_device.descriptor();
    const char* name = type == S_IFDIR ? "empty" : "";
    const long tree = call(SYS_open_tree, from, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tree < 0) return tree;
    const long set = set_attributes(tree, no_suid_dev_exec | MOUNT_ATTR_RDONLY);
    return set < 0 ? set : move_tree(tree, target);
}

// pivot_root(2), NOTES: with new_root and put_old the same directory, the old root is stacked on top of the new one
// and detached from there; no directory for it is needed in the new root.
long StepWalk::act(const step::Pivot& /*one*/) const noexcept {
    const long there = call(SYS_fchdir, targets_.root());
    if (there < 0) return there;
    const long pivoted = call(SYS_pivot_root, ".", ".");
    if (pivoted < 0) return pivoted;
    const long gone = call(SYS_umount2, ".", MNT_DETACH);
    return gone < 0 ? gone : call(SYS_chdir, "/");
}

// The supervisor makes the network namespace while the root is built (launch/own_network.hpp), and hands it over. Where
// it could not, the word comes alone.
long StepWalk::act(const step::BringLoopbackUp& /*one*/) const noexcept {
    if (!task_.network_comes) return bring_loopback_up();
    DescriptorMessage message;
    const long got = call(SYS_recvmsg, task_.control_fd, message.get(), MSG_CMSG_CLOEXEC);
    if (got != 1) return got < 0 ? got : -EPIPE;
    const int network = message.descriptor();
    if (network < 0) {
        const long own = call(SYS_unshare, CLONE_NEWNET);
        if (own < 0) fail(Point::clone, 0, own);
        return bring_loopback_up();
    }
    const long entered = call(SYS_setns, network, CLONE_NEWNET);
    call(SYS_close, network);
    return entered;
}

long StepWalk::act(const step::SetHostName& one) const noexcept {
    return call(SYS_sethostname, text(one.name.first), one.name.size);
}

}  // namespace sandbox
