#include "sandbox/launch/own_network.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "sandbox/init/loopback.hpp"
#include "sandbox/os/signals.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/raw/fd_message.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {
namespace {

struct Errand {
    int init_pidfd;
    long answer;  // a descriptor, or -errno
};

// In a process that shares this one's memory and descriptors, on a stack of its own, under init/child.cpp's rules: it
// enters the jail's user namespace, from which there is no way back.
int make_network(void* argument) {
    auto& errand = *static_cast<Errand*>(argument);
    long done = call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (done >= 0) done = call(SYS_setns, errand.init_pidfd, CLONE_NEWUSER);
    if (done >= 0) done = call(SYS_unshare, CLONE_NEWNET);
    if (done >= 0) done = bring_loopback_up();
    if (done >= 0) done = call(SYS_openat, AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    errand.answer = done;
    for (;;) call(SYS_exit_group, 0);
}

}  // namespace

std::optional<os::Fd> make_own_network(int init_pidfd) {
    Errand errand{init_pidfd, -ECANCELED};
    alignas(16) std::array<char, 16384> stack;
    const os::AllSignalsBlocked blocked;
    const int pid =
        ::clone(make_network, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &errand);
    if (pid < 0) return std::nullopt;
    // It has ended: vfork(2). A caller that ignores SIGCHLD leaves nothing to wait for.
    siginfo_t ended{};
    static_cast<void>(os::try_sys([&] { return ::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED); }));
    if (errand.answer < 0) return std::nullopt;
    return os::Fd(static_cast<int>(errand.answer));
}

void hand_over_network(const os::Fd& control, const std::optional<os::Fd>& network) {
    DescriptorMessage message(1, network ? network->get() : -1);
    const long sent = os::try_sys([&] { return ::sendmsg(control.get(), message.get(), MSG_NOSIGNAL); });
    if (sent < 0 && sent != -EPIPE && sent != -ECONNRESET) {
        throw os::SysError(static_cast<int>(-sent), "hand the jail's network namespace over");
    }
}

}  // namespace sandbox
