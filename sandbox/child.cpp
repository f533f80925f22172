// The child's side of a jail, from its first instruction to the payload's exec. With init.cpp, landlock.cpp and start.cpp
// it is a program of its own, which the supervisor starts from a sealed file in memory (launch.cpp): nothing of the
// supervisor's memory is ever in the jail, and a payload that opens /proc/1/exe or /proc/self/exe in time for writing
// (CVE-2019-5736) finds a file that nobody can write.
//
// Rules of these files:
//   1. Only system calls and functions of these files: the program is linked without any library, so the linker proves it.
//   2. Never assert, abort or exit: only fail(), which says where it happened and ends the process.
//   3. Every descriptor is close-on-exec from birth.
//   4. A path in the new root is only ever resolved by descriptor, below that root, without magic links.
#include "sandbox/child.hpp"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "sandbox/failure.hpp"
#include "sandbox/resolve.hpp"

namespace sandbox {
namespace {

constexpr int init_failed = 125;
constexpr std::size_t longest_path = 4096;
constexpr int listener_number = 3;

// Where a tree goes: a handle, or a name in the directory that the handle is of.
struct Target {
    long handle;
    const char* name;
};

class Builder {
  public:
    explicit Builder(const ChildTask& task) noexcept : task_(task) {}
    [[noreturn]] void run() noexcept;
    void walk() noexcept {
        for (std::size_t i = 0; i < task_.step_count; ++i) step(i);
    }

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
    void say_started() const noexcept;
    void step(std::size_t index) noexcept;
    long perform(const Step& step) noexcept;

    [[nodiscard]] static long map_ids(const Step& step) noexcept;
    [[nodiscard]] static long nest(const Step& step) noexcept;
    static long make_private(const Step& step) noexcept;
    [[nodiscard]] static long verify(const Step& step) noexcept;
    static long to_slot(long fd, int slot) noexcept;
    static long clone_tree(const Step& step) noexcept;
    static long device_to_slot(long fd, int slot) noexcept;
    static long clone_device(const Step& step) noexcept;
    [[nodiscard]] long become_root() const noexcept;
    static long deny_userns(const Step& step) noexcept;
    long make_base(const Step& step) noexcept;
    long adopt_root(long tree) noexcept;
    long root_tmpfs(const Step& step) noexcept;
    long root_overlay(const Step& step) noexcept;
    [[nodiscard]] long mount_overlay(const Step& step) const noexcept;
    [[nodiscard]] long resolve(const char* path) const noexcept;
    long make_parent(const char* path, const char** leaf) noexcept;
    long make_directory(const char* path, std::uint64_t mode) noexcept;
    void let_go(long parent) const noexcept;
    Target make_mount_point(const char* path, mode_t type) noexcept;
    long attach(long tree, const char* path) noexcept;
    long attach_new(const Step& step, long tree) noexcept;
    long make_link(const Step& step) noexcept;
    long make_file(const Step& step) noexcept;
    long write_file(const Step& step) noexcept;
    [[nodiscard]] long change_mode(const Step& step) const noexcept;
    [[nodiscard]] long set_read_only(const Step& step) const noexcept;
    [[nodiscard]] long make_upper(const Step& step) const noexcept;
    [[nodiscard]] long protect(const Step& step) const noexcept;
    [[nodiscard]] long mask(const Step& step) const noexcept;
    [[nodiscard]] long pivot() const noexcept;
    [[nodiscard]] long start_network() const noexcept;

    void build_fence() noexcept;
    [[nodiscard]] long start_payload() noexcept;
    [[noreturn]] void payload() const noexcept;
    static void payload_main(void* builder) noexcept { static_cast<const Builder*>(builder)->payload(); }
    void reset_signals() const noexcept;
    void enter_directory() const noexcept;
    void take_terminal() const noexcept;
    void apply_rlimits() const noexcept;
    void limit_capabilities() const noexcept;
    void set_capabilities(Point point, std::uint64_t capabilities) const noexcept;
    void verify_namespaces() const noexcept;
    void join_keyring() const noexcept;
    void enter_fence() const noexcept;
    void install_more_filters() const noexcept;
    void install_filter() const noexcept;
    void install_listening_filter() const noexcept;
    [[noreturn]] void execute() const noexcept;

    const ChildTask& task_;
    int base_ = -1;
    int root_ = -1;
    int fence_ = -1;
    std::uint64_t parents_ = 0755;  // the mode of directories that a step has to make above its target
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
    // Not by the clone: the root would be the cgroup of who cloned it (cgroup_namespaces(7)).
    if (task_.own_cgroup) need(call(SYS_unshare, CLONE_NEWCGROUP), Point::cgroup);
    walk();
    close_all_but_kept();  // the handles on the host's directories that the plan opened

    if (task_.landlock != Fence::off) build_fence();
    const long pid = start_payload();
    say_started();

    // Init itself can do nothing more than signal and reap, and its memory is closed to everybody in the jail: not
    // dumpable, so that PTRACE_MODE checks fail even for the jail's root.
    call(SYS_close, fence_);
    set_capabilities(Point::drop_init, std::uint64_t{1} << CAP_KILL);
    call(SYS_close, task_.report_fd);
    for (const int stream : task_.stdio) call(SYS_close, stream);
    init_main(task_.line_fd, pid);
}

// One byte: the payload's exec has happened. With it the listener, where there is one; the byte alone where it could not be
// sent. What the payload set up as its own streams was put into the shared table too.
void Builder::say_started() const noexcept {
    char byte = 0;
    if (!task_.has_listener) {
        call(SYS_sendto, task_.line_fd, &byte, 1, MSG_NOSIGNAL, nullptr, 0);
        return;
    }
    iovec content = {&byte, 1};
    alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    *reinterpret_cast<int*>(CMSG_DATA(header)) = listener_number;
    if (call(SYS_sendmsg, task_.line_fd, &message, MSG_NOSIGNAL) < 0) {
        call(SYS_sendto, task_.line_fd, &byte, 1, MSG_NOSIGNAL, nullptr, 0);
    }
    call(SYS_close_range, 0U, static_cast<unsigned>(listener_number), 0);
}

// The signal is lost whenever the kernel thinks that credentials changed, so it is set again then; and it is not sent
// for a parent that died before it was set, so the line, whose other end only the parent holds, is asked each time whether
// that end is closed: what the parent said before it died may still be there to read.
void Builder::die_with_parent() const noexcept {
    need(call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), Point::parent_death_signal);
    pollfd line = {task_.line_fd, POLLRDHUP, 0};
    const timespec at_once = {};
    need(call(SYS_ppoll, &line, 1, &at_once, nullptr, 0), Point::parent_death_signal);
    if ((line.revents & (POLLRDHUP | POLLHUP)) != 0) fail(Point::parent_death_signal, 0, -EPIPE);
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
    const bool changes_ids = step.kind == StepKind::become_root || step.kind == StepKind::nest;
    if (changes_ids && task_.line_fd >= 0) die_with_parent();
}

long Builder::perform(const Step& step) noexcept {
    parents_ = step.parents;
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
        case StepKind::become_root: return become_root();
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

// One id map file of this process, below the host's /proc.
long write_own(int proc, const char* name, const char* text) noexcept {
    const long file = call(SYS_openat, proc, name, O_WRONLY | O_CLOEXEC);
    if (file < 0) return file;
    std::size_t length = 0;
    while (text[length] != '\0') ++length;
    const long wrote = call(SYS_write, file, text, length);
    call(SYS_close, file);
    return wrote;
}

long Builder::map_ids(const Step& step) noexcept {
    const int proc = first_slot_fd + step.slot;
    // The files belong to root, and cannot be written, while the process is not dumpable (proc(5)).
    const long before = call(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
    call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
    long done = write_own(proc, "self/uid_map", step.text);
    // A group map takes a process that can no longer drop groups (user_namespaces(7)).
    if (done >= 0) done = write_own(proc, "self/setgroups", "deny");
    if (done >= 0) done = write_own(proc, "self/gid_map", step.aux);
    call(SYS_prctl, PR_SET_DUMPABLE, before == 1 ? 1 : 0, 0, 0, 0);
    return done;
}

// The limit counts in the namespace that there is, and cannot be raised from the one that is entered.
long Builder::nest(const Step& step) noexcept {
    if (step.value != 0) {
        const long limited = write_own(first_slot_fd + step.slot, "sys/user/max_user_namespaces", "1");
        if (limited < 0) return limited;
    }
    const long inner = call(SYS_unshare, CLONE_NEWUSER);
    return inner < 0 ? inner : map_ids(step);
}

long Builder::verify(const Step& step) noexcept {
    struct stat status = {};
    const long answer = call(SYS_newfstatat, first_slot_fd + step.slot, "", &status, AT_EMPTY_PATH);
    if (answer < 0) return answer;
    return status.st_ino == step.size && status.st_dev == step.value ? 0 : -ESTALE;
}

long Builder::make_private(const Step& step) noexcept {
    mount_attr wanted = {};
    wanted.propagation = step.value == 0 ? std::uint64_t{MS_PRIVATE} : step.value;
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

long Builder::device_to_slot(long fd, int slot) noexcept {
    const long placed = to_slot(fd, slot);
    if (placed < 0) return placed;
    mode_t type = 0;
    const long known = file_type(placed, &type);
    if (known < 0) return known;
    return type == S_IFCHR ? 0 : -ENODEV;
}

long Builder::clone_device(const Step& step) noexcept {
    constexpr unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW;
    return device_to_slot(call(SYS_open_tree, AT_FDCWD, step.path, flags), step.slot);
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

// The file is the host's, which nobody in the jail has touched, and is known to be a procfs; its value is the one of the
// namespace of the process that writes (user_namespaces(7), namespaces(7)).
long Builder::deny_userns(const Step& step) noexcept {
    const long file = call(SYS_openat, AT_FDCWD, step.path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return file;
    struct statfs about = {};
    long done = call(SYS_fstatfs, file, &about);
    if (done >= 0) done = about.f_type == PROC_SUPER_MAGIC ? call(SYS_write, file, step.text, 2) : -EXDEV;
    call(SYS_close, file);
    return done;
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

bool is_root(const char* path) noexcept {
    return path[0] == '/' && path[1] == '\0';
}

// A handle on `path` itself; a last component that is a symbolic link is refused, unless links are to be followed.
long Builder::resolve(const char* path) const noexcept {
    if (task_.follow_links) return open_below(root_, path, O_PATH, Links::in_root);
    const long fd = open_below(root_, path, O_PATH | O_NOFOLLOW, Links::in_root);
    if (fd < 0) return fd;
    mode_t type = 0;
    const long known = file_type(fd, &type);
    if (known < 0) return known;
    return type == S_IFLNK ? -ELOOP : fd;
}

// Creates the directories above `path` that are missing; returns a handle on the last, which is let go by let_go(), and the
// name below it.
long Builder::make_parent(const char* path, const char** leaf) noexcept {
    char prefix[longest_path];
    long parent = root_;
    std::size_t start = 1;
    for (std::size_t i = 1; path[i] != '\0'; ++i) {
        if (i >= longest_path) return -ENAMETOOLONG;
        prefix[i - 1] = path[i - 1];
        if (path[i] != '/') continue;
        prefix[i] = '\0';
        long next = open_below(root_, prefix, O_PATH | O_DIRECTORY, Links::in_root);
        if (next == -ENOENT) {
            const long made = call(SYS_mkdirat, parent, prefix + start, parents_);
            if (made < 0) return made;
            next = open_below(root_, prefix, O_PATH | O_DIRECTORY, Links::in_root);
        }
        if (next < 0) return next;
        let_go(parent);
        parent = next;
        start = i + 1;
    }
    *leaf = path + start;
    return parent;
}

void Builder::let_go(long parent) const noexcept {
    if (parent != root_) call(SYS_close, parent);
}

long Builder::make_directory(const char* path, std::uint64_t mode) noexcept {
    if (is_root(path)) return 0;
    const char* name = nullptr;
    const long parent = make_parent(path, &name);
    if (parent < 0) return parent;
    const long made = call(SYS_mkdirat, parent, name, mode);
    let_go(parent);
    if (made != -EEXIST) return made;
    const long there = open_below(root_, path, O_PATH | O_DIRECTORY, Links::in_root);
    if (there < 0) return there;
    return call(SYS_close, there);
}

long move_tree(long tree, const Target& target) noexcept {
    if (target.name == nullptr) return move_tree(tree, target.handle);
    // A link that somebody put there under that name since it was made is not followed.
    return call(SYS_move_mount, tree, "", target.handle, target.name, MOVE_MOUNT_F_EMPTY_PATH);
}

// `path`, which is created as an empty file or directory where it does not exist: mostly it does not.
Target Builder::make_mount_point(const char* path, mode_t type) noexcept {
    if (is_root(path)) return {resolve(path), nullptr};
    const char* name = nullptr;
    const long parent = make_parent(path, &name);
    if (parent < 0) return {parent, nullptr};
    long made = 0;
    if (type == S_IFDIR) {
        made = call(SYS_mkdirat, parent, name, 0755);
    } else {
        made = call(SYS_openat, parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0444);
        if (made >= 0) call(SYS_close, made);
    }
    if (made >= 0) return {parent, name};
    let_go(parent);
    if (made != -EEXIST) return {made, nullptr};
    return {resolve(path), nullptr};
}

long Builder::attach(long tree, const char* path) noexcept {
    mode_t type = 0;
    const long known = file_type(tree, &type);
    if (known < 0) return known;
    const Target target = make_mount_point(path, type);
    if (target.handle < 0) return target.handle;
    const long moved = move_tree(tree, target);
    let_go(target.handle);
    if (moved < 0 || !is_root(path)) return moved;
    // What is mounted over the root is the root from now on: a path begins below it.
    root_ = static_cast<int>(call(SYS_dup3, tree, first_slot_fd - 2, O_CLOEXEC));
    return root_;
}

long Builder::attach_new(const Step& step, long tree) noexcept {
    if (tree < 0) return tree;
    const long attached = attach(tree, step.path);
    call(SYS_close, tree);
    return attached;
}

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

long Builder::make_link(const Step& step) noexcept {
    const char* name = nullptr;
    const long parent = make_parent(step.path, &name);
    if (parent < 0) return parent;
    const long made = call(SYS_symlinkat, step.text, parent, name);
    const bool is_same = made == -EEXIST && has_text(parent, name, step.text);
    let_go(parent);
    return is_same ? 0 : made;
}

long write_all(long file, const Step& step) noexcept {
    for (std::uint64_t done = 0; done < step.size;) {
        const long wrote = call(SYS_write, file, step.text + done, step.size - done);
        if (wrote < 0) return wrote;
        done += static_cast<std::uint64_t>(wrote);
    }
    return 0;
}

// The file is made in the scratch tmpfs and shown from there, so that it never enters a layer.
long Builder::make_file(const Step& step) noexcept {
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
    return set < 0 ? set : attach_new(step, tree);
}

// In place, as open(2) with O_CREAT and O_TRUNC does it: what is there keeps its mode.
long Builder::write_file(const Step& step) noexcept {
    long file = open_below(root_, step.path, O_WRONLY | O_TRUNC, Links::in_root);
    if (file == -ENOENT) {
        const char* name = nullptr;
        const long parent = make_parent(step.path, &name);
        if (parent < 0) return parent;
        constexpr int flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC;
        file = call(SYS_openat, parent, name, flags, step.value);
        let_go(parent);
    }
    if (file < 0) return file;
    const long filled = write_all(file, step);
    call(SYS_close, file);
    return filled;
}

// By the handle's name below the host's /proc, which is / still: chmod(2) takes no handle before Linux 6.6.
long Builder::change_mode(const Step& step) const noexcept {
    const long there = open_below(root_, step.path, O_PATH, Links::in_root);
    if (there < 0) return there;
    const long handle = call(SYS_dup3, there, first_slot_fd - 3, O_CLOEXEC);
    if (handle < 0) return handle;
    static_assert(first_slot_fd - 3 == 297);
    const long changed = call(SYS_fchmodat, AT_FDCWD, "/proc/self/fd/297", step.value);
    call(SYS_close, handle);
    call(SYS_close, there);
    return changed;
}

long Builder::set_read_only(const Step& step) const noexcept {
    const long there = is_root(step.path) ? root_ : resolve(step.path);
    if (there < 0) return there;
    mount_attr wanted = {};
    wanted.attr_set = MOUNT_ATTR_RDONLY;
    return call(SYS_mount_setattr, there, "", AT_EMPTY_PATH, &wanted, sizeof wanted);
}

long Builder::make_upper(const Step& step) const noexcept {
    const long upper = call(SYS_mkdirat, base_, step.text, 0755);
    return upper < 0 ? upper : call(SYS_mkdirat, base_, step.aux, 0755);
}

// A copy of what is at `path`, read-only, over itself. What is not there needs no protection.
long Builder::protect(const Step& step) const noexcept {
    const long target = resolve(step.path);
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

// The supervisor makes the network namespace while the root is built (own_network.hpp), and hands it over. Where it could not,
// the word comes alone.
long Builder::start_network() const noexcept {
    if (!task_.network_comes) return bring_loopback_up();
    char byte = 0;
    iovec content = {&byte, 1};
    alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const long got = call(SYS_recvmsg, task_.line_fd, &message, MSG_CMSG_CLOEXEC);
    if (got != 1) return got < 0 ? got : -EPIPE;
    if (message.msg_controllen < CMSG_LEN(sizeof(int))) {
        const long own = call(SYS_unshare, CLONE_NEWNET);
        if (own < 0) fail(Point::clone, 0, own);
        return bring_loopback_up();
    }
    const int network = *reinterpret_cast<const int*>(CMSG_DATA(CMSG_FIRSTHDR(&message)));
    const long entered = call(SYS_setns, network, CLONE_NEWNET);
    call(SYS_close, network);
    return entered;
}

// ---- the payload, up to its exec --------------------------------------------------------------------------------

void Builder::build_fence() noexcept {
    const long fence = make_fence(task_.landlock, task_.stdio);
    if (fence == fence_missing) return;
    need(fence, Point::landlock);
    fence_ = static_cast<int>(need(to_slot(fence, 0), Point::landlock));  // the payload's streams take the low numbers
}

// It shares init's memory until its exec, and init waits until then (vfork(2)): a copy would cost more than all the rest.
// With a listener, they share one table of descriptors too, of which the exec gives the payload a copy (execve(2)) before
// it lets init go on: then init holds the listener under the number where the payload got it, and sends it on. So
// neither the filter nor what the payload may do has to allow for sending a descriptor.
long Builder::start_payload() noexcept {
    alignas(16) static char stack[64 * 1024];
    const std::uint64_t flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (task_.has_listener ? CLONE_FILES : 0);
    return need(clone_onto(flags, stack + sizeof stack, payload_main, this), Point::start_payload);
}

void Builder::payload() const noexcept {
    need(call(SYS_setsid), Point::session);
    for (int i = 0; i < 3; ++i) {
        // The streams' numbers are all above 2 (launch.cpp), so none is overwritten before it is used.
        need(call(SYS_dup3, task_.stdio[i], i, 0), Point::standard_streams);
    }
    need(call(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC), Point::descriptors);
    if (task_.controlling_terminal) take_terminal();
    enter_directory();
    call(SYS_umask, 022);
    apply_rlimits();
    verify_namespaces();
    join_keyring();
    limit_capabilities();
    reset_signals();
    enter_fence();
    install_more_filters();
    install_filter();
    execute();
}

// Below the root and without magic links: /proc/self/fd/0 would lead to wherever standard input is (CVE-2024-21626).
void Builder::enter_directory() const noexcept {
    const long root = need(call(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC), Point::working_directory);
    const long directory =
        need(open_below(root, task_.cwd, O_PATH | O_DIRECTORY, Links::in_root), Point::working_directory);
    need(call(SYS_fchdir, directory), Point::working_directory);
    call(SYS_close, root);
    call(SYS_close, directory);
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

// What was written is not what counts, but what happens.
void Builder::verify_namespaces() const noexcept {
    if (task_.nested_namespaces == Nested::allowed) return;
    if (call(SYS_unshare, CLONE_NEWUSER) >= 0) fail(Point::nested_namespaces, 0, -EEXIST);
}

// The caller's session keyring would stay reachable otherwise; keyrings(7). Where a filter around us refuses keyctl, it
// refuses it to the payload too.
void Builder::join_keyring() const noexcept {
    const long joined = call(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr, 0, 0, 0);
    if (joined < 0 && joined != -ENOSYS && joined != -EPERM) fail(Point::keyring, 0, joined);
}

void Builder::enter_fence() const noexcept {
    if (fence_ < 0) return;
    need(call(SYS_landlock_restrict_self, fence_, 0), Point::landlock);
}

long set_filter(const std::uint64_t* instructions, std::size_t length, unsigned long flags) noexcept {
    static_assert(sizeof(sock_filter) == sizeof(std::uint64_t));
    sock_fprog program = {};
    program.len = static_cast<unsigned short>(length);
    program.filter = reinterpret_cast<sock_filter*>(const_cast<std::uint64_t*>(instructions));
    return call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

// Before the profile's own, which may deny seccomp(2).
void Builder::install_more_filters() const noexcept {
    const std::uint64_t* next = task_.more_filters;
    for (std::size_t i = 0; i < task_.more_filter_count; ++i) {
        need(set_filter(next, task_.more_filter_lengths[i], 0), Point::filter);
        next += task_.more_filter_lengths[i];
    }
}

void Builder::install_filter() const noexcept {
    if (task_.filter_length == 0) return;
    if (task_.has_listener) {
        install_listening_filter();
    } else {
        need(set_filter(task_.filter, task_.filter_length, 0), Point::filter);
    }
}

void Builder::install_listening_filter() const noexcept {
    // The lowest number that is free is the listener's, and init counts on it.
    call(SYS_close, listener_number);
    // A signal that does not kill must not make a call that is being answered start anew: runtimes that interrupt
    // their threads by signals (Go's, for one) would never get on. Since Linux 5.19.
    constexpr unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    long listener = set_filter(task_.filter, task_.filter_length, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    if (listener == -EINVAL) listener = set_filter(task_.filter, task_.filter_length, flags);
    if (listener == -EBUSY && task_.unreported_filter_length != 0) {
        listener = set_filter(task_.unreported_filter, task_.unreported_filter_length, 0);
    } else if (listener >= 0 && listener != listener_number) {
        listener = -EBADF;
    }
    need(listener, Point::filter);
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

void walk_steps(const ChildTask& task) noexcept {
    Builder(task).walk();
}

void child_main(const ChildTask& task) noexcept {
    Builder(task).run();
}

}  // namespace sandbox
