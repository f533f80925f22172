// The child's side of a jail, from its first instruction to the payload's exec: the handshake with the supervisor, the
// plan's steps (init/steps.cpp), the payload (init/payload.cpp), and then the life of an init (init/init.cpp). With
// what they stand on, these files are a program of its own, which the supervisor starts from a sealed file in memory
// (launch/launch.cpp): nothing of the supervisor's memory is ever in the jail, and a payload that opens /proc/1/exe or
// /proc/self/exe in time for writing (CVE-2019-5736) finds a file that nobody can write.
//
// Rules of these files:
//   1. Only system calls and functions of these files: the program is linked without any library, so the linker proves
//      it.
//   2. Never assert, abort or exit: only fail(), which says where it happened and ends the process.
//   3. Every descriptor is close-on-exec from birth.
//   4. A path in the new root is only ever resolved by descriptor, below that root, without magic links.
#include "sandbox/init/child.hpp"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox/init/init.hpp"
#include "sandbox/init/payload.hpp"
#include "sandbox/init/steps.hpp"
#include "sandbox/raw/capabilities.hpp"
#include "sandbox/raw/fd_message.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {
namespace {

class FirstProcess : private Reporter {
  public:
    explicit FirstProcess(const ChildTask& task) noexcept : Reporter(task.report_fd, init_failed), task_(task) {}
    [[noreturn]] void run() const noexcept;
    void walk() const noexcept;

  private:
    void die_with_parent() const noexcept;
    void wait_for_parent() const noexcept;
    void close_all_but_kept() const noexcept;
    void say_started() const noexcept;

    const ChildTask& task_;
};

void FirstProcess::run() const noexcept {
    die_with_parent();
    close_all_but_kept();
    wait_for_parent();
    // Not by the clone: the root would be the cgroup of who cloned it (cgroup_namespaces(7)).
    if (task_.own_cgroup) need(call(SYS_unshare, CLONE_NEWCGROUP), Point::cgroup);
    walk();
    close_all_but_kept();  // the handles on the host's directories that the plan opened

    Payload payload(task_);
    const long pid = payload.start();
    say_started();

    // Init itself can do nothing more than signal and reap, and its memory is closed to everybody in the jail: not
    // dumpable, so that PTRACE_MODE checks fail even for the jail's root.
    need(set_capabilities(uint64_t{1} << CAP_KILL), Point::drop_init);
    call(SYS_close, task_.report_fd);
    for (const int stream : task_.stdio) call(SYS_close, stream);
    init_main(task_.control_fd, pid);
}

void FirstProcess::walk() const noexcept {
    StepWalk steps(task_);
    for (size_t i = 0; i < task_.steps.size(); ++i) {
        const Step& step = task_.steps[i];
        need(steps.perform(step), Point::step, i);
        const bool changes_ids = step.is<step::BecomeRoot>() || step.is<step::NestUserNamespace>();
        if (changes_ids && task_.control_fd >= 0) die_with_parent();
    }
}

// One byte: the payload's exec has happened. With it the listener, where there is one; the byte alone where it could
// not be sent. What the payload set up as its own streams was put into the shared table too.
void FirstProcess::say_started() const noexcept {
    char byte = 0;
    if (!task_.has_listener) {
        call(SYS_sendto, task_.control_fd, &byte, 1, MSG_NOSIGNAL, nullptr, 0);
        return;
    }
    DescriptorMessage message(byte, listener_number);
    if (call(SYS_sendmsg, task_.control_fd, message.get(), MSG_NOSIGNAL) < 0) {
        call(SYS_sendto, task_.control_fd, &byte, 1, MSG_NOSIGNAL, nullptr, 0);
    }
    call(SYS_close_range, 0U, static_cast<unsigned>(listener_number), 0);
}

// The signal is lost whenever the kernel thinks that credentials changed, so it is set again then; and it is not sent
// for a parent that died before it was set, so the control socket, whose other end only the parent holds, is asked each
// time whether that end is closed: what the parent said before it died may still be there to read.
void FirstProcess::die_with_parent() const noexcept {
    need(call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), Point::parent_death_signal);
    pollfd control = {task_.control_fd, POLLRDHUP, 0};
    const timespec at_once = {};
    need(call(SYS_ppoll, &control, 1, &at_once, nullptr, 0), Point::parent_death_signal);
    if ((control.revents & (POLLRDHUP | POLLHUP)) != 0) fail(Point::parent_death_signal, 0, -EPIPE);
}

// The parent says one byte when the id maps are written.
void FirstProcess::wait_for_parent() const noexcept {
    char byte = 0;
    const long got = call(SYS_recvfrom, task_.control_fd, &byte, 1, 0, nullptr, nullptr);
    if (got != 1) fail(Point::handshake, 0, got < 0 ? got : -EPIPE);
}

void FirstProcess::close_all_but_kept() const noexcept {
    unsigned first = 0;
    for (const int one : task_.keep) {
        const auto kept = static_cast<unsigned>(one);
        if (kept > first) need(call(SYS_close_range, first, kept - 1, 0), Point::descriptors);
        first = kept + 1;
    }
    need(call(SYS_close_range, first, ~0U, 0), Point::descriptors);
}

}  // namespace

void walk_steps(const ChildTask& task) noexcept {
    FirstProcess(task).walk();
}

void child_main(const ChildTask& task) noexcept {
    FirstProcess(task).run();
}

}  // namespace sandbox
