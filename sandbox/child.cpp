// The child's side of a jail, from clone to exec.
//
// Rules of this file. It runs in a copy of the supervisor's memory, where locks may be held and buffers half written:
//   1. The supervisor has one thread when it clones (launch.cpp checks).
//   2. Only system calls and functions of this file and init.cpp: no allocation, no exception, no locale, no errno
//      outside call(). tests/golden/child-symbols.txt lists every symbol this object may need; a test compares.
//   3. Never assert, abort or exit: only fail(), which says where it happened and ends the process.
//   4. Every descriptor is close-on-exec from birth.
//   5. A path in the new root is only ever resolved by descriptor, below that root, without magic links.
#include "sandbox/child.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/failure.hpp"

namespace sandbox {
namespace {

constexpr int init_failed = 125;
constexpr std::size_t longest_path = 4096;

class Builder {
  public:
    explicit Builder(const ChildTask& task) noexcept : task_(task) {}
    [[noreturn]] void run() noexcept;

  private:
    [[noreturn]] void fail(Point point, std::size_t index, long error) const noexcept {
        const FailureRecord record{point, static_cast<std::uint16_t>(index), static_cast<std::int32_t>(-error)};
        call(SYS_write, task_.report_fd, &record, sizeof record);
        for (;;) call(SYS_exit_group, init_failed);
    }
    long need(long result, Point point, std::size_t index = 0) const noexcept {
        if (result < 0) fail(point, index, result);
        return result;
    }

    void wait_for_parent() const noexcept;
    void die_with_parent() const noexcept;
    void close_all_but_kept() const noexcept;
    void step(std::size_t index) noexcept;
    long perform(const Step& step) noexcept;

    static long make_private() noexcept;
    static long to_slot(long fd, int slot) noexcept;
    static long clone_tree(const Step& step) noexcept;
    static long clone_device(const Step& step) noexcept;
    [[nodiscard]] long become_root() const noexcept;
    long make_base(const Step& step) noexcept;
    long adopt_root(long tree) noexcept;
    long root_tmpfs(const Step& step) noexcept;
    long root_overlay(const Step& step) noexcept;
    [[nodiscard]] long mount_overlay(const Step& step) const noexcept;
    [[nodiscard]] long resolve(const char* path) const noexcept;
    long make_parent(const char* path, const char** leaf) noexcept;
    long make_directory(const char* path, std::uint64_t mode) noexcept;
    long make_mount_point(const char* path, mode_t type) noexcept;
    long attach(long tree, const char* path) noexcept;
    long attach_new(const Step& step, long tree) noexcept;
    long make_link(const Step& step) noexcept;
    long make_file(const Step& step) noexcept;
    [[nodiscard]] long protect(const Step& step) const noexcept;
    [[nodiscard]] long mask(const Step& step) const noexcept;
    [[nodiscard]] long pivot() const noexcept;
    static long loopback_up() noexcept;

    [[noreturn]] void payload() const noexcept;
    void reset_signals() const noexcept;
    void take_terminal() const noexcept;
    void apply_rlimits() const noexcept;
    void limit_capabilities() const noexcept;
    void set_capabilities(Point point, std::uint64_t capabilities) const noexcept;
    void install_filter() const noexcept;
    [[noreturn]] void execute() const noexcept;

    const ChildTask& task_;
    int base_ = -1;
    int root_ = -1;
};

// ---- mounts, by the new API: a tree is made detached, given its attributes, and only then put into place --------

long set_attributes(long tree, std::uint64_t attributes) noexcept {
    mount_attr wanted = {};
    wanted.attr_set = attributes;
    // Recursively: what is mounted below the source gets the same. Attributes are only ever added, so those that the
    // kernel locked when it copied the mounts into this user namespace stay as they are.
    return call(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &wanted, sizeof wanted);
}

long move_tree(long tree, long target) noexcept {
    return call(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

struct Option {
    const char* key;
    const char* value;  // nullptr: a flag; "": left out
};

// A new, detached file system of that type. Descriptors that fail to close are no concern: exec closes all.
long new_filesystem(const char* type, const Option* options, std::size_t count, unsigned attributes) noexcept {
    const long context = call(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (context < 0) return context;
    for (std::size_t i = 0; i < count; ++i) {
        const Option& option = options[i];
        if (option.value != nullptr && option.value[0] == '\0') continue;
        const auto command = option.value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
        const long set = call(SYS_fsconfig, context, command, option.key, option.value, 0);
        if (set < 0) return set;
    }
    const long created = call(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
    if (created < 0) return created;
    const long tree = call(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
    call(SYS_close, context);
    return tree;
}

constexpr unsigned no_suid_dev = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr unsigned no_suid_dev_exec = no_suid_dev | MOUNT_ATTR_NOEXEC;

long new_tmpfs(const char* size, const char* mode) noexcept {
    const Option options[] = {{"mode", mode}, {"size", size}};
    return new_filesystem("tmpfs", options, 2, no_suid_dev);
}

long new_devpts(const char* gid) noexcept {
    const Option options[] = {{"newinstance", nullptr}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", gid}};
    return new_filesystem("devpts", options, 4, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

long file_type(long fd, mode_t* type) noexcept {
    struct stat status = {};
    const long answer = call(SYS_newfstatat, fd, "", &status, AT_EMPTY_PATH);
    if (answer < 0) return answer;
    *type = status.st_mode & S_IFMT;
    return 0;
}

// ---- the walk through the plan ----------------------------------------------------------------------------------

void Builder::run() noexcept {
    die_with_parent();
    close_all_but_kept();
    wait_for_parent();
    for (std::size_t i = 0; i < task_.step_count; ++i) step(i);
    close_all_but_kept();  // the handles on the host's directories that the plan opened

    const long pid = need(call(SYS_clone, SIGCHLD, 0, 0, 0, 0), Point::start_payload);
    if (pid == 0) payload();

    // Init itself can do nothing more than signal and reap, and its memory, which began as the supervisor's, is
    // closed to everybody in the jail: not dumpable, PTRACE_MODE checks fail even for the jail's root.
    set_capabilities(Point::drop_init, std::uint64_t{1} << CAP_KILL);
    call(SYS_close, task_.report_fd);
    for (const int stream : task_.stdio) call(SYS_close, stream);
    init_main(task_.line_fd, pid);
}

// The signal is lost whenever the kernel thinks that credentials changed, so it is set again then; and it is not sent
// for a parent that died before it was set, so the line, whose other end only the parent holds, is asked each time.
void Builder::die_with_parent() const noexcept {
    need(call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), Point::parent_death_signal);
    char byte = 0;
    const long got = call(SYS_recvfrom, task_.line_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT, nullptr, nullptr);
    if (got == 0) fail(Point::parent_death_signal, 0, -EPIPE);
}

// The parent says one byte when the id maps are written.
void Builder::wait_for_parent() const noexcept {
    char byte = 0;
    const long got = call(SYS_recvfrom, task_.line_fd, &byte, 1, 0, nullptr, nullptr);
    if (got != 1) fail(Point::handshake, 0, got < 0 ? got : -EPIPE);
}

void Builder::close_all_but_kept() const noexcept {
    unsigned first = 0;
    for (std::size_t i = 0; i < task_.keep_count; ++i) {
        const auto kept = static_cast<unsigned>(task_.keep[i]);
        if (kept > first) need(call(SYS_close_range, first, kept - 1, 0), Point::descriptors);
        first = kept + 1;
    }
    need(call(SYS_close_range, first, ~0U, 0), Point::descriptors);
}

void Builder::step(std::size_t index) noexcept {
    const Step& step = task_.steps[index];
    need(perform(step), Point::step, index);
    if (step.kind == StepKind::become_root) die_with_parent();
}

long Builder::perform(const Step& step) noexcept {
    switch (step.kind) {
        case StepKind::make_private: return make_private();
        case StepKind::open_path: return to_slot(call(SYS_openat, AT_FDCWD, step.path, O_PATH | O_CLOEXEC), step.slot);
        case StepKind::clone_tree: return clone_tree(step);
        case StepKind::clone_device: return clone_device(step);
        case StepKind::become_root: return become_root();
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
            return set < 0 ? set : attach(first_slot_fd + step.slot, step.path);
        }
        case StepKind::tmpfs: return attach_new(step, new_tmpfs(step.text, step.aux));
        case StepKind::proc: return attach_new(step, new_filesystem("proc", nullptr, 0, no_suid_dev_exec));
        case StepKind::sysfs:
            return attach_new(step, new_filesystem("sysfs", nullptr, 0, no_suid_dev_exec | MOUNT_ATTR_RDONLY));
        case StepKind::devpts: return attach_new(step, new_devpts(step.text));
        case StepKind::mqueue: return attach_new(step, new_filesystem("mqueue", nullptr, 0, no_suid_dev_exec));
        case StepKind::directory: return make_directory(step.path, step.value);
        case StepKind::link: return make_link(step);
        case StepKind::file: return make_file(step);
        case StepKind::protect: return protect(step);
        case StepKind::mask: return mask(step);
        case StepKind::pivot: return pivot();
        case StepKind::loopback: return loopback_up();
        case StepKind::hostname: return call(SYS_sethostname, step.text, step.size);
    }
    return -EINVAL;
}

long Builder::make_private() noexcept {
    mount_attr wanted = {};
    wanted.propagation = MS_PRIVATE;
    return call(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &wanted, sizeof wanted);
}

long Builder::to_slot(long fd, int slot) noexcept {
    if (fd < 0) return fd;
    const long moved = call(SYS_dup3, fd, first_slot_fd + slot, O_CLOEXEC);
    call(SYS_close, fd);
    return moved;
}

long Builder::clone_tree(const Step& step) noexcept {
    // Always recursive: copying only the top of a tree whose lower mounts are locked would show what they hide, and
    // the kernel refuses it with EINVAL.
    return to_slot(call(SYS_open_tree, AT_FDCWD, step.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE),
                   step.slot);
}

long Builder::clone_device(const Step& step) noexcept {
    const long slot = to_slot(
        call(SYS_open_tree, AT_FDCWD, step.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW), step.slot);
    if (slot < 0) return slot;
    mode_t type = 0;
    const long known = file_type(slot, &type);
    if (known < 0) return known;
    return type == S_IFCHR ? 0 : -ENODEV;
}

long Builder::become_root() const noexcept {
    if (task_.drop_groups) {
        const long dropped = call(SYS_setgroups, 0, nullptr);
        if (dropped < 0) return dropped;
    }
    const long group = call(SYS_setresgid, 0, 0, 0);
    if (group < 0) return group;
    const long user = call(SYS_setresuid, 0, 0, 0);
    if (user < 0) return user;
    call(SYS_umask, 0);  // the plan's modes are exact; the payload starts with 022
    return call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

long Builder::make_base(const Step& step) noexcept {
    const long tree = new_tmpfs("", "0755");
    if (tree < 0) return tree;
    const long moved = move_tree(tree, first_slot_fd + step.slot);
    if (moved < 0) return moved;
    base_ = static_cast<int>(tree);
    const long made = call(SYS_mkdirat, base_, "root", 0755);
    return made < 0 ? made : call(SYS_mkdirat, base_, "empty", 0555);
}

long Builder::adopt_root(long tree) noexcept {
    if (tree < 0) return tree;
    const long moved = call(SYS_move_mount, tree, "", base_, "root", MOVE_MOUNT_F_EMPTY_PATH);
    if (moved < 0) return moved;
    root_ = static_cast<int>(tree);
    return 0;
}

// An unlimited one is a directory of the scratch tmpfs, which costs nothing; a limited one needs a file system of its own.
long Builder::root_tmpfs(const Step& step) noexcept {
    if (step.text[0] != '\0') return adopt_root(new_tmpfs(step.text, step.aux));
    const long allowed = call(SYS_fchmodat, base_, "root", step.value);
    if (allowed < 0) return allowed;
    return adopt_root(call(SYS_open_tree, base_, "root", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

// Overlays are mounted by mount(2): before Linux 6.8 the new API takes only 256 bytes of lower directories. The
// layers are named as /proc/self/fd/N, so only the caller's identity, which opened them, had to reach them.
long overlay_on(const char* target, const Step& step) noexcept {
    constexpr unsigned long flags = MS_NOSUID | MS_NODEV;
    const long first = call(SYS_mount, "overlay", target, "overlay", flags, step.text);
    return first == -EINVAL ? call(SYS_mount, "overlay", target, "overlay", flags, step.aux) : first;
}

long Builder::root_overlay(const Step& step) noexcept {
    const long there = call(SYS_fchdir, base_);
    if (there < 0) return there;
    const long mounted = overlay_on("root", step);
    if (mounted < 0) return mounted;
    const long root = call(SYS_openat, base_, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    root_ = static_cast<int>(root);
    return root;
}

long Builder::mount_overlay(const Step& step) const noexcept {
    const long target = resolve(step.path);
    if (target < 0) return target;
    const long there = call(SYS_fchdir, target);
    if (there < 0) return there;
    return overlay_on(".", step);
}

// ---- targets below the new root ---------------------------------------------------------------------------------

long resolve_in(long root, const char* path, std::uint64_t flags) noexcept {
    open_how how = {};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return call(SYS_openat2, root, path, &how, sizeof how);
}

// A handle on `path` itself; a last component that is a symbolic link is refused.
long Builder::resolve(const char* path) const noexcept {
    const long fd = resolve_in(root_, path, O_PATH | O_NOFOLLOW);
    if (fd < 0) return fd;
    mode_t type = 0;
    const long known = file_type(fd, &type);
    if (known < 0) return known;
    return type == S_IFLNK ? -ELOOP : fd;
}

// Creates the directories above `path` that are missing; returns a handle on the last, and the name below it.
long Builder::make_parent(const char* path, const char** leaf) noexcept {
    char prefix[longest_path];
    long parent = call(SYS_dup3, root_, first_slot_fd - 1, O_CLOEXEC);
    std::size_t start = 1;
    for (std::size_t i = 1; path[i] != '\0'; ++i) {
        if (i >= longest_path) return -ENAMETOOLONG;
        prefix[i - 1] = path[i - 1];
        if (path[i] != '/') continue;
        prefix[i] = '\0';
        long next = resolve_in(root_, prefix, O_PATH | O_DIRECTORY);
        if (next == -ENOENT) {
            const long made = call(SYS_mkdirat, parent, prefix + start, 0755);
            if (made < 0) return made;
            next = resolve_in(root_, prefix, O_PATH | O_DIRECTORY);
        }
        if (next < 0) return next;
        call(SYS_close, parent);
        parent = next;
        start = i + 1;
    }
    *leaf = path + start;
    return parent;
}

long Builder::make_directory(const char* path, std::uint64_t mode) noexcept {
    const char* name = nullptr;
    const long parent = make_parent(path, &name);
    if (parent < 0) return parent;
    const long made = call(SYS_mkdirat, parent, name, mode);
    call(SYS_close, parent);
    return made == -EEXIST ? 0 : made;
}

// A handle on `path`, which is created as an empty file or directory where it does not exist.
long Builder::make_mount_point(const char* path, mode_t type) noexcept {
    const long there = resolve(path);
    if (there != -ENOENT) return there;
    const char* name = nullptr;
    const long parent = make_parent(path, &name);
    if (parent < 0) return parent;
    long made = 0;
    if (type == S_IFDIR) {
        made = call(SYS_mkdirat, parent, name, 0755);
    } else {
        made = call(SYS_openat, parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0444);
        if (made >= 0) call(SYS_close, made);
    }
    call(SYS_close, parent);
    return made < 0 ? made : resolve(path);
}

long Builder::attach(long tree, const char* path) noexcept {
    mode_t type = 0;
    const long known = file_type(tree, &type);
    if (known < 0) return known;
    const long target = make_mount_point(path, type);
    if (target < 0) return target;
    const long moved = move_tree(tree, target);
    call(SYS_close, target);
    return moved;
}

long Builder::attach_new(const Step& step, long tree) noexcept {
    if (tree < 0) return tree;
    const long attached = attach(tree, step.path);
    call(SYS_close, tree);
    return attached;
}

long Builder::make_link(const Step& step) noexcept {
    const char* name = nullptr;
    const long parent = make_parent(step.path, &name);
    if (parent < 0) return parent;
    const long made = call(SYS_symlinkat, step.text, parent, name);
    call(SYS_close, parent);
    return made;
}

// The file is made in the scratch tmpfs and shown from there, so that it never enters a layer.
long Builder::make_file(const Step& step) noexcept {
    const long file = call(SYS_openat, base_, step.aux, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) return file;
    for (std::uint64_t done = 0; done < step.size;) {
        const long wrote = call(SYS_write, file, step.text + done, step.size - done);
        if (wrote < 0) return wrote;
        done += static_cast<std::uint64_t>(wrote);
    }
    const long allowed = call(SYS_fchmod, file, step.value);
    call(SYS_close, file);
    if (allowed < 0) return allowed;
    const long tree = call(SYS_open_tree, base_, step.aux, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) return tree;
    const long set = set_attributes(tree, no_suid_dev | MOUNT_ATTR_RDONLY);
    return set < 0 ? set : attach_new(step, tree);
}

// A copy of what is at `path`, read-only, over itself. What is not there needs no protection.
long Builder::protect(const Step& step) const noexcept {
    const long target = resolve(step.path);
    if (target < 0) return target == -ENOENT ? 0 : target;
    const long tree =
        call(SYS_open_tree, target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (tree < 0) return tree;
    const long set = set_attributes(tree, no_suid_dev_exec | MOUNT_ATTR_RDONLY);
    return set < 0 ? set : move_tree(tree, target);
}

// The mask is an object of the host or of the scratch tmpfs, never something of that name in the root.
long Builder::mask(const Step& step) const noexcept {
    const long target = resolve(step.path);
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
long Builder::pivot() const noexcept {
    const long there = call(SYS_fchdir, root_);
    if (there < 0) return there;
    const long pivoted = call(SYS_pivot_root, ".", ".");
    if (pivoted < 0) return pivoted;
    const long gone = call(SYS_umount2, ".", MNT_DETACH);
    return gone < 0 ? gone : call(SYS_chdir, "/");
}

long Builder::loopback_up() noexcept {
    const long link = call(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (link < 0) return link;
    ifreq request = {};
    request.ifr_name[0] = 'l';
    request.ifr_name[1] = 'o';
    long done = call(SYS_ioctl, link, SIOCGIFFLAGS, &request);
    if (done >= 0) {
        request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
        done = call(SYS_ioctl, link, SIOCSIFFLAGS, &request);
    }
    call(SYS_close, link);
    return done;
}

// ---- the payload, up to its exec --------------------------------------------------------------------------------

void Builder::payload() const noexcept {
    need(call(SYS_setsid), Point::session);
    for (int i = 0; i < 3; ++i) {
        // The streams' numbers are all above 2 (launch.cpp), so none is overwritten before it is used.
        need(call(SYS_dup3, task_.stdio[i], i, 0), Point::standard_streams);
    }
    need(call(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC), Point::descriptors);
    if (task_.controlling_terminal) take_terminal();
    need(call(SYS_chdir, task_.cwd), Point::working_directory);
    call(SYS_umask, 022);
    apply_rlimits();
    limit_capabilities();
    reset_signals();
    install_filter();
    execute();
}

void Builder::take_terminal() const noexcept {
    need(call(SYS_ioctl, 0, TIOCSCTTY, 0), Point::terminal);
}

void Builder::apply_rlimits() const noexcept {
    for (std::size_t i = 0; i < task_.rlimit_count; ++i) {
        const RlimitValue& limit = task_.rlimits[i];
        const std::uint64_t values[2] = {limit.soft, limit.hard};
        need(call(SYS_prlimit64, 0, limit.resource, values, nullptr), Point::rlimit, i);
    }
}

// The bounding set first, while CAP_SETPCAP is still there; then the identity; then the sets themselves.
void Builder::limit_capabilities() const noexcept {
    for (int capability = 0; capability <= task_.last_capability; ++capability) {
        if ((task_.capabilities >> capability & 1U) != 0) continue;
        need(call(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0), Point::bounding_set,
             static_cast<std::size_t>(capability));
    }
    need(call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), Point::capabilities);
    if (task_.gid != 0) need(call(SYS_setresgid, task_.gid, task_.gid, task_.gid), Point::identity);
    if (task_.uid != 0) need(call(SYS_setresuid, task_.uid, task_.uid, task_.uid), Point::identity);
    set_capabilities(Point::capabilities, task_.uid == 0 ? task_.capabilities : 0);
    need(call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), Point::no_new_privileges);
}

void Builder::set_capabilities(Point point, std::uint64_t capabilities) const noexcept {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const auto low = static_cast<std::uint32_t>(capabilities);
    const auto high = static_cast<std::uint32_t>(capabilities >> 32U);
    const __user_cap_data_struct data[2] = {{low, low, 0}, {high, high, 0}};
    need(call(SYS_capset, &header, data), point);
}

// Ignored signals stay ignored over clone and exec: a caller that ignores SIGPIPE must not decide for the payload.
void Builder::reset_signals() const noexcept {
    struct {
        void* handler;
        unsigned long flags;
        void* restorer;
        std::uint64_t mask;
    } const standard = {nullptr, 0, nullptr, 0};
    for (int number = 1; number <= 64; ++number) {
        call(SYS_rt_sigaction, number, &standard, nullptr, sizeof standard.mask);
    }
    const std::uint64_t none = 0;
    call(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
}

void Builder::install_filter() const noexcept {
    if (task_.filter_length == 0) return;
    static_assert(sizeof(sock_filter) == sizeof(std::uint64_t));
    sock_fprog program = {};
    program.len = static_cast<unsigned short>(task_.filter_length);
    program.filter = reinterpret_cast<sock_filter*>(const_cast<std::uint64_t*>(task_.filter));
    need(call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), Point::filter);
}

void Builder::execute() const noexcept {
    long error = -ENOENT;
    std::size_t where = 0;
    for (std::size_t i = 0; i < task_.executable_count; ++i) {
        const long answer = call(SYS_execve, task_.executables[i], task_.argv, task_.envp);
        if (answer == -ENOENT || answer == -ENOTDIR) continue;
        error = answer;
        where = i;
        if (answer != -EACCES) break;
    }
    fail(Point::execute, where, error);
}

}  // namespace

void child_main(const ChildTask& task) noexcept {
    Builder(task).run();
}

}  // namespace sandbox
