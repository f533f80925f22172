#include "sandbox/probe/attempt.hpp"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "sandbox/os/process.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox {
namespace {

// What the child tells the parent: first that its user namespace exists, then how it ended.
struct Record {
    int error = 0;
    std::array<char, 252> doing{};
};

void send_record(const os::Fd& control, int error, const std::string& doing) {
    Record record;
    record.error = error;
    std::memcpy(record.doing.data(), doing.data(), std::min(doing.size(), record.doing.size() - 1));
    static_cast<void>(::send(control.get(), &record, sizeof record, MSG_NOSIGNAL));
}

Attempt failed(const std::string& doing, int error) {
    return {error, {os::format("{}: {}", doing, std::strerror(error))}};
}

Attempt receive_record(const os::Fd& control) {
    Record record;
    const long got = os::sys([&] { return ::recv(control.get(), &record, sizeof record, 0); }, "listen to a probe");
    if (got != sizeof record) return failed("run the probe (its process was killed)", ECHILD);
    return record.error == 0 ? Attempt{} : failed(record.doing.data(), record.error);
}

void enter_user_namespace(const os::Fd& control) {
    os::sys([] { return ::unshare(CLONE_NEWUSER); }, "make a user namespace");
    send_record(control, 0, {});
    char go = 0;
    if (::recv(control.get(), &go, 1, 0) != 1) ::_exit(1);  // the parent has no map for us
    // Refused where groups must stay (a single map without privilege).
    static_cast<void>(::setgroups(0, nullptr));
    os::sys([] { return ::setresgid(0, 0, 0); }, "become group 0 of the namespace");
    os::sys([] { return ::setresuid(0, 0, 0); }, "become user 0 of the namespace");
}

// The first process forked after unshare(CLONE_NEWPID) is the one inside; this one waits for it.
void enter_pid_namespace() {
    const pid_t inner = os::sys([] { return ::fork(); }, "start the first process of a namespace");
    if (inner == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        return;
    }
    os::sys([&] { return ::waitpid(inner, nullptr, 0); }, "wait for the first process of a namespace");
    ::_exit(0);
}

[[noreturn]] void run_child(const Surroundings& where, const std::function<void()>& body, const os::Fd& control) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        if (where.ids) enter_user_namespace(control);
        if (where.namespaces != 0) {
            os::sys([&] { return ::unshare(where.namespaces); }, "make namespaces");
            if ((where.namespaces & CLONE_NEWPID) != 0) enter_pid_namespace();
        }
        body();
        send_record(control, 0, {});
    } catch (const os::SysError& error) {
        send_record(control, error.error(), error.doing());
    } catch (const std::exception& error) {
        send_record(control, EINVAL, error.what());
    }
    ::_exit(0);
}

}  // namespace

Attempt attempt(const Surroundings& where, const std::function<void()>& body) {
    std::array<int, 2> ends{};
    os::sys([&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()); },
            "make the control socket of a probe");
    const os::Fd control(ends[0]);
    os::Fd inner_line(ends[1]);
    const pid_t pid = os::sys([] { return ::fork(); }, "start a probe");
    if (pid == 0) run_child(where, body, inner_line);
    const os::Child child(pid, os::Fd());  // killed and reaped at the end, whatever happens
    inner_line.reset();

    if (where.ids) {
        if (Attempt made = receive_record(control); !made.works()) return made;
        try {
            apply_idmap(pid, *where.ids, where.own ? &*where.own : nullptr);
        } catch (const IdMapError& error) {
            return {EPERM, error.problem()};
        } catch (const os::SysError& error) {
            return {error.error(), error.problem()};
        }
        const char go = 1;
        static_cast<void>(::send(control.get(), &go, 1, MSG_NOSIGNAL));
    }
    return receive_record(control);
}

}  // namespace sandbox
