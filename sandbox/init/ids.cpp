#include "sandbox/init/ids.hpp"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "sandbox/raw/syscall.hpp"

namespace sandbox {
namespace {

// One id map file of this process, below the host's /proc.
long write_own(int proc, const char* name, const char* text) noexcept {
    const long file = call(SYS_openat, proc, name, O_WRONLY | O_CLOEXEC);
    if (file < 0) return file;
    size_t length = 0;
    while (text[length] != '\0') ++length;
    const long wrote = call(SYS_write, file, text, length);
    call(SYS_close, file);
    return wrote;
}

}  // namespace

long map_ids(const ChildTask& task, const step::MapIds& ids) noexcept {
    const int proc = ids.proc.descriptor();
    // The files belong to root, and cannot be written, while the process is not dumpable (proc(5)).
    const long before = call(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
    call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
    long done = write_own(proc, "self/uid_map", task.text(ids.uid_map));
    // A group map takes a process that can no longer drop groups (user_namespaces(7)).
    if (done >= 0) done = write_own(proc, "self/setgroups", "deny");
    if (done >= 0) done = write_own(proc, "self/gid_map", task.text(ids.gid_map));
    call(SYS_prctl, PR_SET_DUMPABLE, before == 1 ? 1 : 0, 0, 0, 0);
    return done;
}

// The limit counts in the namespace that there is, and cannot be raised from the one that is entered.
long nest(const ChildTask& task, const step::NestUserNamespace& inner) noexcept {
    if (inner.is_last) {
        const long limited = write_own(inner.ids.proc.descriptor(), "sys/user/max_user_namespaces", "1");
        if (limited < 0) return limited;
    }
    const long entered = call(SYS_unshare, CLONE_NEWUSER);
    return entered < 0 ? entered : map_ids(task, inner.ids);
}

long become_root(const ChildTask& task) noexcept {
    if (task.drop_groups) {
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

// The file is the host's, which nobody in the jail has touched, and is known to be a procfs; its value is the one of
// the namespace of the process that writes (user_namespaces(7), namespaces(7)).
long limit_user_namespaces(const step::LimitUserNamespaces& limit) noexcept {
    const long file = call(SYS_openat, AT_FDCWD, "/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
    if (file < 0) return file;
    struct statfs about = {};
    long done = call(SYS_fstatfs, file, &about);
    const char* const number = limit.leaves_one ? "1\n" : "0\n";
    if (done >= 0) done = about.f_type == PROC_SUPER_MAGIC ? call(SYS_write, file, number, 2) : -EXDEV;
    call(SYS_close, file);
    return done;
}

}  // namespace sandbox
