#include "sandbox/init/payload.hpp"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "sandbox/init/landlock.hpp"
#include "sandbox/init/mounts.hpp"
#include "sandbox/raw/capabilities.hpp"
#include "sandbox/raw/resolve.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {
namespace {

// Ignored signals stay ignored over clone and exec: a caller that ignores SIGPIPE must not decide for the payload.
void reset_signals() noexcept {
    struct {
        void* handler;
        unsigned long flags;
        void* restorer;
        uint64_t mask;
    } const standard = {nullptr, 0, nullptr, 0};
    for (int number = 1; number <= 64; ++number) {
        call(SYS_rt_sigaction, number, &standard, nullptr, sizeof standard.mask);
    }
    const uint64_t none = 0;
    call(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
}

}  // namespace

Payload::Payload(const ChildTask& task) noexcept : Reporter(task.report_fd, init_failed), task_(task) {
    if (task_.landlock == Fence::off) return;
    const long fence = make_fence(task_.landlock, task_.stdio);
    if (fence == fence_missing) return;
    need(fence, Point::landlock);
    // The payload's streams take the low numbers.
    fence_ = static_cast<int>(need(to_slot(fence, Slot{0}), Point::landlock));
}

// It shares init's memory until its exec, and init waits until then (vfork(2)): a copy would cost more than all the
// rest. With a listener, they share one table of descriptors too, of which the exec gives the payload a copy
// (execve(2)) before it lets init go on: then init holds the listener under the number where the payload got it, and
// sends it on. So neither the filter nor what the payload may do has to allow for sending a descriptor.
long Payload::start() noexcept {
    alignas(16) static char stack[64 * 1024];
    const uint64_t flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (task_.has_listener ? CLONE_FILES : 0);
    const long pid = need(clone_onto(flags, stack + sizeof stack, run_on_stack, this), Point::start_payload);
    call(SYS_close, fence_);
    return pid;
}

void Payload::run() const noexcept {
    need(call(SYS_setsid), Point::session);
    for (int i = 0; i < 3; ++i) {
        // The streams' numbers are all above 2 (launch/launch.cpp), so none is overwritten before it is used.
        need(call(SYS_dup3, task_.stdio[i], i, 0), Point::standard_streams);
    }
    need(call(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC), Point::descriptors);
    if (task_.controlling_terminal) need(call(SYS_ioctl, 0, TIOCSCTTY, 0), Point::terminal);
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
void Payload::enter_directory() const noexcept {
    const long root = need(call(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC), Point::working_directory);
    const long directory =
        need(open_below(root, task_.cwd.get(), O_PATH | O_DIRECTORY, Links::in_root), Point::working_directory);
    need(call(SYS_fchdir, directory), Point::working_directory);
    call(SYS_close, root);
    call(SYS_close, directory);
}

void Payload::apply_rlimits() const noexcept {
    for (size_t i = 0; i < task_.rlimits.size(); ++i) {
        const RlimitValue& limit = task_.rlimits[i];
        const uint64_t values[2] = {limit.soft, limit.hard};
        need(call(SYS_prlimit64, 0, limit.resource, values, nullptr), Point::rlimit, i);
    }
}

// The bounding set first, while CAP_SETPCAP is still there; then the identity; then the sets themselves.
void Payload::limit_capabilities() const noexcept {
    for (int capability = 0; capability <= task_.last_capability; ++capability) {
        if ((task_.capabilities >> capability & 1U) != 0) continue;
        need(call(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0), Point::bounding_set,
             static_cast<size_t>(capability));
    }
    need(call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), Point::capabilities);
    if (task_.gid != 0) need(call(SYS_setresgid, task_.gid, task_.gid, task_.gid), Point::identity);
    if (task_.uid != 0) need(call(SYS_setresuid, task_.uid, task_.uid, task_.uid), Point::identity);
    need(set_capabilities(task_.uid == 0 ? task_.capabilities : 0), Point::capabilities);
    need(call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), Point::no_new_privileges);
}

long set_filter(const FilterCode& code, unsigned long flags) noexcept {
    static_assert(sizeof(sock_filter) == sizeof(uint64_t));
    sock_fprog program = {};
    program.len = static_cast<unsigned short>(code.size());
    program.filter = reinterpret_cast<sock_filter*>(const_cast<uint64_t*>(code.begin()));
    return call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

// What was written is not what counts, but what happens.
void Payload::verify_namespaces() const noexcept {
    if (task_.nested_namespaces == Nested::allowed) return;
    if (call(SYS_unshare, CLONE_NEWUSER) >= 0) fail(Point::nested_namespaces, 0, -EEXIST);
}

// The caller's session keyring would stay reachable otherwise; keyrings(7). Where a filter around us refuses keyctl, it
// refuses it to the payload too.
void Payload::join_keyring() const noexcept {
    const long joined = call(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr, 0, 0, 0);
    if (joined < 0 && joined != -ENOSYS && joined != -EPERM) fail(Point::keyring, 0, joined);
}

void Payload::enter_fence() const noexcept {
    if (fence_ < 0) return;
    need(call(SYS_landlock_restrict_self, fence_, 0), Point::landlock);
}

// Before the profile's own, which may deny seccomp(2).
void Payload::install_more_filters() const noexcept {
    for (const FilterCode& filter : task_.more_filters) need(set_filter(filter, 0), Point::filter);
}

void Payload::install_filter() const noexcept {
    if (task_.filter.empty()) return;
    if (task_.has_listener) {
        install_listening_filter();
    } else {
        need(set_filter(task_.filter, 0), Point::filter);
    }
}

void Payload::install_listening_filter() const noexcept {
    // The lowest number that is free is the listener's, and init counts on it.
    call(SYS_close, listener_number);
    // A signal that does not kill must not make a call that is being answered start anew: runtimes that interrupt
    // their threads by signals (Go's, for one) would never get on. Since Linux 5.19.
    constexpr unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    long listener = set_filter(task_.filter, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    if (listener == -EINVAL) listener = set_filter(task_.filter, flags);
    if (listener == -EBUSY && !task_.unreported_filter.empty()) {
        listener = set_filter(task_.unreported_filter, 0);
    } else if (listener >= 0 && listener != listener_number) {
        listener = -EBADF;
    }
    need(listener, Point::filter);
}

void Payload::execute() const noexcept {
    long error = -ENOENT;
    size_t where = 0;
    const char* const* const argv = task_.argv.pointers();
    const char* const* const envp = task_.envp.pointers();
    for (size_t i = 0; i < task_.executables.size(); ++i) {
        const long answer = call(SYS_execve, task_.executables[i], argv, envp);
        if (answer == -ENOENT || answer == -ENOTDIR) continue;
        error = answer;
        where = i;
        if (answer != -EACCES) break;
    }
    fail(Point::execute, where, error);
}

}  // namespace sandbox
