#include "runtime/jail/namespaces.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "sandbox/os/sys.hpp"
#include "sandbox/raw/capabilities.hpp"
#include "sandbox/raw/fd_message.hpp"

namespace runtime::jail {

using sandbox::os::Child;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;
using sandbox::os::SysError;

namespace {

// Empty: the other side ended without sending one.
Fd receive_fd(const Fd& line) {
    sandbox::DescriptorMessage message;
    const long got =
        sys([&] { return ::recvmsg(line.get(), message.get(), MSG_CMSG_CLOEXEC); }, "ask for a netlink socket");
    return got == 1 ? Fd(message.descriptor()) : Fd();
}

[[noreturn]] void hold(const Namespaces& namespaces, const Fd& line, pid_t parent) {
    become_jail_root(namespaces.user, parent);
    if (::setns(namespaces.network.get(), CLONE_NEWNET) != 0) ::_exit(1);
    const int routes = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    sockaddr_nl groups = {};
    groups.nl_family = AF_NETLINK;
    groups.nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (::bind(routes, reinterpret_cast<const sockaddr*>(&groups), sizeof groups) != 0) ::_exit(1);
    if (sandbox::set_capabilities(0) != 0) ::_exit(1);
    ::prctl(PR_SET_DUMPABLE, 1);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sandbox::DescriptorMessage message(0, routes);
    const bool is_sent = ::sendmsg(line.get(), message.get(), MSG_NOSIGNAL) == 1;
    ::close_range(0, ~0U, 0);
    if (!is_sent) ::_exit(1);
    for (;;) ::pause();
}

// Where packets of the jail must never go: addresses that to pasta's sockets mean the host's own loopback device. A
// socket that is bound to the jail's interface, for which the kernel asks for no capability, sends to them past the
// jail's loopback device, whatever the routes say, and the pasta of 2023 connects to whatever a packet names.
struct Closed {
    std::uint16_t family;
    std::uint8_t bits;
    std::array<std::uint8_t, 16> prefix;
};
constexpr Closed closed_prefixes[] = {
    {AF_INET, 8, {127}},
    {AF_INET, 8, {0}},
    {AF_INET6, 128, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
    {AF_INET6, 128, {}},
    {AF_INET6, 96, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},
};

// A policy of the kernel's IPsec (ip-xfrm(8)) that blocks what leaves by that interface for these addresses; it holds
// for every kind of socket. Returns 0 or errno.
int close_prefix(int netlink, const Closed& closed, int interface) {
    struct {
        nlmsghdr header;
        xfrm_userpolicy_info policy;
    } request = {};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = XFRM_MSG_NEWPOLICY;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    xfrm_selector& selector = request.policy.sel;
    std::memcpy(&selector.daddr, closed.prefix.data(), closed.prefix.size());
    selector.family = closed.family;
    selector.prefixlen_d = closed.bits;
    selector.ifindex = interface;
    xfrm_lifetime_cfg& life = request.policy.lft;
    life.soft_byte_limit = life.hard_byte_limit = life.soft_packet_limit = life.hard_packet_limit = XFRM_INF;
    request.policy.dir = XFRM_POLICY_OUT;
    request.policy.action = XFRM_POLICY_BLOCK;
    if (::send(netlink, &request, sizeof request, 0) < 0) return errno;
    struct {
        nlmsghdr header;
        nlmsgerr error;
        std::array<char, 512> rest;
    } answer = {};
    if (::recv(netlink, &answer, sizeof answer, 0) < 0) return errno;
    return answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EPROTO;
}

}  // namespace

Namespaces open_namespaces(pid_t pid) {
    const auto open_one = [pid](const char* name) {
        const std::string path = format("/proc/{}/ns/{}", pid, name);
        return Fd(sys([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }, "open {}", path));
    };
    return {open_one("user"), open_one("net")};
}

void become_jail_root(const Fd& user, pid_t parent) {
    // The kernel forgets the parent-death signal when ids change, so it comes last, and then the parent must still be
    // there.
    ::setsid();  // the signals of the caller's terminal are for the supervisor
    if (::setns(user.get(), CLONE_NEWUSER) != 0) ::_exit(1);
    ::syscall(SYS_setgroups, 0, nullptr);  // refused where the namespace keeps them; then they are the caller's own
    // The bare calls: the C library's would speak to threads that this copy of the process does not have.
    if (::syscall(SYS_setresgid, 0, 0, 0) != 0 || ::syscall(SYS_setresuid, 0, 0, 0) != 0) ::_exit(1);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
}

Holder start_holder(const Namespaces& namespaces) {
    int pair[2];
    sys([&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair); }, "make a line");
    const Fd line(pair[0]);
    Fd child_line(pair[1]);
    const pid_t parent = ::getpid();
    int pidfd = -1;
    const long pid = sandbox::os::clone_process(0, pidfd);
    if (pid < 0) throw SysError(static_cast<int>(-pid), "start a process for the jail's network");
    if (pid == 0) hold(namespaces, child_line, parent);
    Holder holder{Child(static_cast<pid_t>(pid), Fd(pidfd)), {}};
    child_line.reset();
    holder.routes = receive_fd(line);
    if (!holder.routes) throw SysError(EPERM, "enter the jail's network namespace");
    return holder;
}

// In a process of its own; its exit code is 0 or errno.
void close_way_to_loopback(const Namespaces& namespaces, int interface) {
    const pid_t parent = ::getpid();
    int pidfd = -1;
    const long pid = sandbox::os::clone_process(0, pidfd);
    if (pid < 0) throw SysError(static_cast<int>(-pid), "start a process for the jail's network");
    if (pid == 0) {
        become_jail_root(namespaces.user, parent);
        if (::setns(namespaces.network.get(), CLONE_NEWNET) != 0) ::_exit(errno);
        const int netlink = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);
        if (netlink < 0) ::_exit(errno);
        for (const Closed& closed : closed_prefixes) {
            const int error = close_prefix(netlink, closed, interface);
            // A kernel without IPv6 has nothing to close there.
            if (error != 0 && !(closed.family == AF_INET6 && error == EAFNOSUPPORT)) ::_exit(error);
        }
        ::_exit(0);
    }
    const sandbox::os::WaitStatus how = Child(static_cast<pid_t>(pid), Fd(pidfd)).wait().how;
    if (!how.has_exited(0)) {
        throw SysError(how.has_exited() ? how.status : ECHILD,
                       "close the jail's way to the host's loopback device (xfrm policies)");
    }
}

}  // namespace runtime::jail
