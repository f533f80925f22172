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

#include "sandbox/init/ids.hpp"
#include "sandbox/init/loopback.hpp"
#include "sandbox/init/mounts.hpp"
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

long write_all(long file, const Step& step) noexcept {
    for (std::uint64_t done = 0; done < step.size;) {
        const long wrote = call(SYS_write, file, step.text + done, step.size - done);
        if (wrote < 0) return wrote;
        done += static_cast<std::uint64_t>(wrote);
    }
    return 0;
}

}  // namespace

long Walk::perform(const Step& step) noexcept {
    targets_.set_parents(step.parents);
    switch (step.kind) {
        case StepKind::map_ids: return map_ids(step);
        case StepKind::nest: return nest(step);
        case StepKind::no_nesting: return call(SYS_unshare, CLONE_NEWUSER) < 0 ? 0 : -EEXIST;
        case StepKind::join: return call(SYS_setns, step.slot, CLONE_NEWUSER);
        case StepKind::make_private: return make_private(step);
        case StepKind::open_path: return to_slot(call(SYS_openat, AT_FDCWD, step.path, O_PATH | O_CLOEXEC), step.slot);
        case StepKind::clone_tree: return clone_tree(step);
        case StepKind::open_device:
            return device_to_slot(call(SYS_openat, AT_FDCWD, step.path, O_PATH | O_NOFOLLOW | O_CLOEXEC), step.slot);
        case StepKind::clone_device: return clone_device(step);
        case StepKind::verify: return verify(step);
        case StepKind::become_root: return become_root(task_);
        case StepKind::deny_userns: return deny_userns(step);
        case StepKind::keep_identity: return call(SYS_umask, 0);
        case StepKind::base: return make_base(step);
        case StepKind::root_tmpfs: return root_tmpfs(step);
        case StepKind::root_overlay: return root_overlay(step);
        case StepKind::root_tree: {
            const long set = set_attributes(first_slot_fd + step.slot, step.value);
            return set < 0 ? set : adopt_root(first_slot_fd + step.slot);
        }
        case StepKind::overlay: return mount_overlay(step);
        case StepKind::attach: {
            const long set = set_attributes(first_slot_fd + step.slot, step.value);
            return set < 0 ? set : targets_.attach(first_slot_fd + step.slot, step.path);
        }
        case StepKind::tmpfs: return targets_.attach_new(new_tmpfs(step.text, step.aux), step.path);
        case StepKind::proc:
            return targets_.attach_new(new_filesystem("proc", nullptr, 0, no_suid_dev_exec), step.path);
        case StepKind::sysfs:
            return targets_.attach_new(new_filesystem("sysfs", nullptr, 0, no_suid_dev_exec | MOUNT_ATTR_RDONLY),
                                       step.path);
        case StepKind::devpts: return targets_.attach_new(new_devpts(step.text), step.path);
        case StepKind::mqueue:
            return targets_.attach_new(new_filesystem("mqueue", nullptr, 0, no_suid_dev_exec), step.path);
        case StepKind::directory: return targets_.make_directory(step.path, step.value);
        case StepKind::link: return make_link(step);
        case StepKind::file: return make_file(step);
        case StepKind::write_file: return write_file(step);
        case StepKind::chmod: return change_mode(step);
        case StepKind::read_only: return set_read_only(step);
        case StepKind::make_upper: return make_upper(step);
        case StepKind::protect: return protect(step);
        case StepKind::mask: return mask(step);
        case StepKind::pivot: return pivot();
        case StepKind::loopback: return start_network();
        case StepKind::hostname: return call(SYS_sethostname, step.text, step.size);
    }
    return -EINVAL;
}

long Walk::verify(const Step& step) noexcept {
    struct stat status = {};
    const long answer = call(SYS_newfstatat, first_slot_fd + step.slot, "", &status, AT_EMPTY_PATH);
    if (answer < 0) return answer;
    return status.st_ino == step.size && status.st_dev == step.value ? 0 : -ESTALE;
}

long Walk::make_private(const Step& step) noexcept {
    mount_attr wanted = {};
    wanted.propagation = step.value == 0 ? std::uint64_t{MS_PRIVATE} : step.value;
    return call(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &wanted, sizeof wanted);
}

long Walk::clone_tree(const Step& step) noexcept {
    // Always recursive: copying only the top of a tree whose lower mounts are locked would show what they hide, and
    // the kernel refuses it with EINVAL.
    return to_slot(call(SYS_open_tree, AT_FDCWD, step.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE),
                   step.slot);
}

long Walk::device_to_slot(long fd, int slot) noexcept {
    const long placed = to_slot(fd, slot);
    if (placed < 0) return placed;
    mode_t type = 0;
    const long known = file_type(placed, &type);
    if (known < 0) return known;
    return type == S_IFCHR ? 0 : -ENODEV;
}

long Walk::clone_device(const Step& step) noexcept {
    constexpr unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW;
    return device_to_slot(call(SYS_open_tree, AT_FDCWD, step.path, flags), step.slot);
}

long Walk::make_base(const Step& step) noexcept {
    const long tree = new_tmpfs("", "0755");
    if (tree < 0) return tree;
    const long moved = move_tree(tree, first_slot_fd + step.slot);
    if (moved < 0) return moved;
    base_ = static_cast<int>(tree);
    const long made = call(SYS_mkdirat, base_, "root", 0755);
    return made < 0 ? made : call(SYS_mkdirat, base_, "empty", 0555);
}

long Walk::adopt_root(long tree) noexcept {
    if (tree < 0) return tree;
    const long moved = call(SYS_move_mount, tree, "", base_, "root", MOVE_MOUNT_F_EMPTY_PATH);
    if (moved < 0) return moved;
    targets_.set_root(tree);
    return 0;
}

// An unlimited one is a directory of the scratch tmpfs, which costs nothing; a limited one needs a file system of its own.
long Walk::root_tmpfs(const Step& step) noexcept {
    if (step.text[0] != '\0') return adopt_root(new_tmpfs(step.text, step.aux));
    const long allowed = call(SYS_fchmodat, base_, "root", step.value);
    if (allowed < 0) return allowed;
    return adopt_root(call(SYS_open_tree, base_, "root", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

long Walk::root_overlay(const Step& step) noexcept {
    const long there = call(SYS_fchdir, base_);
    if (there < 0) return there;
    const long mounted = overlay_on("root", step);
    if (mounted < 0) return mounted;
    const long root = call(SYS_openat, base_, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    targets_.set_root(root);
    return root;
}

long Walk::mount_overlay(const Step& step) const noexcept {
    const long target = targets_.resolve(step.path);
    if (target < 0) return target;
    const long there = call(SYS_fchdir, target);
    if (there < 0) return there;
    return overlay_on(".", step);
}

long Walk::make_link(const Step& step) noexcept {
    const char* name = nullptr;
    const long parent = targets_.make_parent(step.path, &name);
    if (parent < 0) return parent;
    const long made = call(SYS_symlinkat, step.text, parent, name);
    const bool is_same = made == -EEXIST && has_text(parent, name, step.text);
    targets_.release(parent);
    return is_same ? 0 : made;
}

// The file is made in the scratch tmpfs and shown from there, so that it never enters a layer.
long Walk::make_file(const Step& step) noexcept {
    const long file = call(SYS_openat, base_, step.aux, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) return file;
    const long filled = write_all(file, step);
    if (filled < 0) return filled;
    const long allowed = call(SYS_fchmod, file, step.value);
    call(SYS_close, file);
    if (allowed < 0) return allowed;
    const long tree = call(SYS_open_tree, base_, step.aux, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) return tree;
    const long set = set_attributes(tree, no_suid_dev | (step.slot < 0 ? MOUNT_ATTR_RDONLY : 0));
    return set < 0 ? set : targets_.attach_new(tree, step.path);
}

// In place, as open(2) with O_CREAT and O_TRUNC does it: what is there keeps its mode.
long Walk::write_file(const Step& step) noexcept {
    long file = open_below(targets_.root(), step.path, O_WRONLY | O_TRUNC, Links::in_root);
    if (file == -ENOENT) {
        const char* name = nullptr;
        const long parent = targets_.make_parent(step.path, &name);
        if (parent < 0) return parent;
        constexpr int flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC;
        file = call(SYS_openat, parent, name, flags, step.value);
        targets_.release(parent);
    }
    if (file < 0) return file;
    const long filled = write_all(file, step);
    call(SYS_close, file);
    return filled;
}

// By the handle's name below the host's /proc, which is / still: chmod(2) takes no handle before Linux 6.6.
long Walk::change_mode(const Step& step) const noexcept {
    const long there = open_below(targets_.root(), step.path, O_PATH, Links::in_root);
    if (there < 0) return there;
    const long handle = call(SYS_dup3, there, first_slot_fd - 3, O_CLOEXEC);
    if (handle < 0) return handle;
    static_assert(first_slot_fd - 3 == 297);
    const long changed = call(SYS_fchmodat, AT_FDCWD, "/proc/self/fd/297", step.value);
    call(SYS_close, handle);
    call(SYS_close, there);
    return changed;
}

long Walk::set_read_only(const Step& step) const noexcept {
    const long there = is_root(step.path) ? targets_.root() : targets_.resolve(step.path);
    if (there < 0) return there;
    mount_attr wanted = {};
    wanted.attr_set = MOUNT_ATTR_RDONLY;
    return call(SYS_mount_setattr, there, "", AT_EMPTY_PATH, &wanted, sizeof wanted);
}

long Walk::make_upper(const Step& step) const noexcept {
    const long upper = call(SYS_mkdirat, base_, step.text, 0755);
    return upper < 0 ? upper : call(SYS_mkdirat, base_, step.aux, 0755);
}

// A copy of what is at `path`, read-only, over itself. What is not there needs no protection.
long Walk::protect(const Step& step) const noexcept {
    const long target = targets_.resolve(step.path);
    if (target < 0) return target == -ENOENT ? 0 : target;
    if (step.value != 0 && call(SYS_faccessat2, target, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) < 0) return 0;
    const long tree =
        call(SYS_open_tree, target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (tree < 0) return tree;
    const long set = set_attributes(tree, no_suid_dev_exec | MOUNT_ATTR_RDONLY);
    return set < 0 ? set : move_tree(tree, target);
}

// The mask is an object of the host or of the scratch tmpfs, never something of that name in the root. Both are where they are
// mounted: before Linux 6.15 a tree that is still detached cannot be copied once more (EINVAL).
long Walk::mask(const Step& step) const noexcept {
    const long target = targets_.resolve(step.path);
    if (target < 0) return target == -ENOENT ? 0 : target;
    mode_t type = 0;
    const long known = file_type(target, &type);
    if (known < 0) return known;
    const long from = type == S_IFDIR ? base_ : first_slot_fd + step.slot;
    const char* name = type == S_IFDIR ? "empty" : "";
    const long tree = call(SYS_open_tree, from, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tree < 0) return tree;
    const long set = set_attributes(tree, no_suid_dev_exec | MOUNT_ATTR_RDONLY);
    return set < 0 ? set : move_tree(tree, target);
}

// pivot_root(2), NOTES: with new_root and put_old the same directory, the old root is stacked on top of the new one
// and detached from there; no directory for it is needed in the new root.
long Walk::pivot() const noexcept {
    const long there = call(SYS_fchdir, targets_.root());
    if (there < 0) return there;
    const long pivoted = call(SYS_pivot_root, ".", ".");
    if (pivoted < 0) return pivoted;
    const long gone = call(SYS_umount2, ".", MNT_DETACH);
    return gone < 0 ? gone : call(SYS_chdir, "/");
}

// The supervisor makes the network namespace while the root is built (launch/own_network.hpp), and hands it over. Where it could not,
// the word comes alone.
long Walk::start_network() const noexcept {
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

}  // namespace sandbox
