// The jail's PID 1 once the payload runs. Under the rules of init/child.cpp: system calls only.
//
// It waits for two things: a child that ended, and a word from the supervisor. When the payload ends it says how and
// ends too; the kernel then kills every other process of the PID namespace and takes the mounts (pid_namespaces(7)).
#include <asm/unistd.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sandbox/init/init.hpp"
#include "sandbox/os/wait_status.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {
namespace {

[[noreturn]] void end(int status) noexcept {
    for (;;) call(SYS_exit_group, status);
}

// Reaps all that have ended. The payload's own end is reported, and is init's.
void reap(int control_fd, long payload) noexcept {
    for (;;) {
        siginfo_t info = {};
        if (call(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG, nullptr) < 0 || info.si_pid == 0) return;
        if (info.si_pid != payload) continue;
        const os::WaitStatus how = {info.si_code, info.si_status};
        call(SYS_sendto, control_fd, &how, sizeof how, MSG_NOSIGNAL, nullptr, 0);
        end(0);
    }
}

// One byte from the supervisor is a signal for every process of the jail but init. No byte: the supervisor is gone.
void obey(int control_fd) noexcept {
    unsigned char number = 0;
    if (call(SYS_recvfrom, control_fd, &number, 1, MSG_DONTWAIT, nullptr, nullptr) == 0) end(0);
    if (number != 0) call(SYS_kill, -1, static_cast<int>(number));
}

}  // namespace

void init_main(int control_fd, long payload) noexcept {
    const uint64_t child_ended = uint64_t{1} << (SIGCHLD - 1);
    // SIGCHLD is blocked since before the clone, so none is missed between the payload's start and here.
    const long signals = call(SYS_signalfd4, -1, &child_ended, sizeof child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) end(1);
    for (;;) {
        reap(control_fd, payload);
        pollfd waiting[2] = {{control_fd, POLLIN, 0}, {static_cast<int>(signals), POLLIN, 0}};
        if (call(SYS_ppoll, waiting, 2, nullptr, nullptr, 0) < 0) continue;
        if ((waiting[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) obey(control_fd);
        signalfd_siginfo drained;
        while (call(SYS_read, signals, &drained, sizeof drained) > 0) {
        }
    }
}

}  // namespace sandbox
