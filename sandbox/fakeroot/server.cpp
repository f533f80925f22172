#include "sandbox/fakeroot/server.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <exception>
#include <span>
#include <vector>

#include "sandbox/fakeroot/calls.hpp"
#include "sandbox/fakeroot/files.hpp"
#include "sandbox/fakeroot/identity.hpp"
#include "sandbox/fakeroot/listener.hpp"
#include "sandbox/filter/eval.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/raw/capabilities.hpp"

namespace sandbox {
namespace {

using fakeroot::Reply;
using os::Fd;
using os::format;
using os::sys;

// Which identity a process has stands in a resource limit of it, which fork and exec hand on, which the kernel has
// ignored since Linux 2.4.25 (getrlimit(2)), and which whoever may answer for the process may also set. A payload that
// sets it changes who it believes to be, and nothing else. Numbers start here, out of the way of limits that are meant.
constexpr __rlimit_resource identity_limit = RLIMIT_LOCKS;
constexpr rlim_t first_identity = rlim_t{0x5b0} << 40U;

// What the view does for others it does with these alone, and over the one uid that is mapped: reach and change every
// file (dac, chown, fowner, fsetid, setfcap), look into the processes that ask (ptrace), stand in their root (chroot).
constexpr std::uint64_t needed_capabilities = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER |
                                              1ULL << CAP_FSETID | 1ULL << CAP_SETFCAP | 1ULL << CAP_SYS_PTRACE |
                                              1ULL << CAP_SYS_CHROOT;

class Server {
  public:
    Server(Fd listener, Fd line, FilterProgram profile)
        : listener_(std::move(listener)),
          line_(std::move(line)),
          profile_(std::move(profile)),
          proc_(sys([] { return ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC); }, "open /proc")),
          files_((stand_in_proc(), listener_)) {}

    void run();

  private:
    void stand_in_proc() const {
        sys([&] { return ::fchdir(proc_.get()); }, "go to /proc");
    }
    void answer(const Notice& notice);
    bool enter_jail(const Notice& notice);
    void become_jails_root() const;
    void deny(const Notice& notice, FilterAnswer verdict);
    Reply reply_to(const Notice& notice, const fakeroot::Call& call);

    [[nodiscard]] Identity identity_of(const Notice& notice) const;
    Reply take_on(const Notice& notice, const Identity& identity);
    Reply identify(const Notice& notice);
    Reply set_groups(const Notice& notice, Identity identity);
    Reply show_groups(const Notice& notice, const Identity& identity) const;
    Reply show_three(const Notice& notice, const IdSet& ids) const;

    Listener listener_;
    Fd line_;
    FilterProgram profile_;
    Fd proc_;
    fakeroot::FileView files_;
    Identities identities_;
    bool is_inside_ = false;
};

void Server::run() {
    for (;;) {
        pollfd waiting = {listener_.fd(), POLLIN, 0};
        sys([&] { return ::poll(&waiting, 1, -1); }, "wait for a jail's calls");
        if (const auto notice = listener_.next()) {
            answer(*notice);
        } else if (listener_.is_over()) {
            return;
        }
    }
}

void Server::answer(const Notice& notice) {
    const FilterAnswer verdict = profile_.instructions.empty() ? answer_allowed : evaluate(profile_, notice.call);
    if (!verdict.permits()) {
        deny(notice, verdict);
        return;
    }
    const fakeroot::Call call = fakeroot::read_call(notice.call);
    Reply reply = fakeroot::go_on();
    if (is_inside_ || enter_jail(notice)) reply = reply_to(notice, call);
    switch (reply.kind) {
        case Reply::Kind::go_on: listener_.go_on(notice); break;
        case Reply::Kind::value: listener_.answer_value(notice, reply.value); break;
        case Reply::Kind::error: listener_.answer_error(notice, static_cast<int>(reply.value)); break;
        case Reply::Kind::sent: break;
    }
}

// What the profile denies stays denied. Where somebody keeps account of denials, they answer.
void Server::deny(const Notice& notice, FilterAnswer verdict) {
    if (line_ && ::send(line_.get(), &notice, sizeof notice, MSG_NOSIGNAL) == sizeof notice) return;
    line_.reset();
    listener_.answer_error(notice, verdict.error().value_or(EPERM));
}

// The namespaces of whoever asks first; all processes of a jail have the same. False where they cannot be had, because
// its program is one that may be run and not read: then nothing of it can be.
bool Server::enter_jail(const Notice& notice) {
    const auto open_namespace = [&](const char* which) {
        return Fd(::open(format("{}/ns/{}", notice.thread, which).c_str(), O_RDONLY | O_CLOEXEC));
    };
    const Fd users = open_namespace("user");
    const Fd mounts = open_namespace("mnt");
    if (!users || !mounts || !listener_.still_valid(notice)) return false;
    sys([&] { return ::setns(users.get(), CLONE_NEWUSER); }, "enter a jail's user namespace");
    sys([&] { return ::setns(mounts.get(), CLONE_NEWNS); }, "enter a jail's mount namespace");
    become_jails_root();
    stand_in_proc();
    is_inside_ = true;
    return true;
}

void Server::become_jails_root() const {
    // Refused where the jail was made by an ordinary user; then the groups are the payload's, who could not drop them.
    static_cast<void>(::setgroups(0, nullptr));
    sys([] { return ::setresgid(0, 0, 0); }, "take a jail's group");
    sys([] { return ::setresuid(0, 0, 0); }, "take a jail's user");
    if (const long done = set_capabilities(needed_capabilities); done < 0) {
        throw os::SysError(static_cast<int>(-done), "keep few capabilities");
    }
    sys([] { return ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }, "close the view to the jail");
    // Lost when the identity changed.
    sys([] { return ::prctl(PR_SET_PDEATHSIG, SIGKILL); }, "die with the supervisor");
}

Reply Server::reply_to(const Notice& notice, const fakeroot::Call& call) {
    const auto who = [&] { return identity_of(notice); };
    struct Ask {
        Server& server;
        const Notice& notice;
        decltype(who)& identity;
        Reply operator()(const fakeroot::Unknown&) const { return fakeroot::go_on(); }
        Reply operator()(const fakeroot::Stat& one) const { return server.files_.stat(notice, one); }
        Reply operator()(const fakeroot::Chown& one) const { return server.files_.chown(notice, one, identity()); }
        Reply operator()(const fakeroot::Open& one) const { return server.files_.open(notice, one, identity()); }
        Reply operator()(const fakeroot::OpenHow& one) const { return server.files_.open(notice, one, identity()); }
        Reply operator()(const fakeroot::Make& one) const { return server.files_.make(notice, one, identity()); }
        Reply operator()(const fakeroot::Link& one) const { return server.files_.link(notice, one, identity()); }
        Reply operator()(const fakeroot::ListAttributes& one) const { return server.files_.list(notice, one); }
        Reply operator()(const fakeroot::Identify&) const { return server.identify(notice); }
    };
    return std::visit(Ask{*this, notice, who}, call);
}

// ---- identities
// ------------------------------------------------------------------------------------------------------

// Where the stack begins (proc_pid_stat(5), startstack), which address space randomisation makes another with each
// exec.
std::uint64_t image_of(const Notice& notice) {
    const std::string text = os::read_file_if_exists(AT_FDCWD, format("{}/stat", notice.thread)).value_or("");
    // The name of the program, in brackets, may have blanks in it; the 28th field is the 26th after it.
    std::size_t at = text.rfind(')');
    for (int field = 2; field < 28 && at != std::string::npos; ++field) at = text.find(' ', at + 1);
    std::uint64_t start = 0;
    if (at != std::string::npos) std::from_chars(text.data() + at + 1, text.data() + text.size(), start);
    return start;
}

Identity Server::identity_of(const Notice& notice) const {
    rlimit limit = {};
    if (::prlimit(notice.thread, identity_limit, nullptr, &limit) != 0) return {};
    if (limit.rlim_cur < first_identity) return {};
    Identity identity = identities_.at(limit.rlim_cur - first_identity);
    if (identity.image != 0) end_with_image(identity, image_of(notice));
    return identity;
}

Reply Server::take_on(const Notice& notice, const Identity& identity) {
    const auto number = identities_.number_of(identity);
    rlimit limit = {};
    if (!number || ::prlimit(notice.thread, identity_limit, nullptr, &limit) != 0) return fakeroot::error(EAGAIN);
    limit.rlim_cur = first_identity + *number;
    if (!listener_.still_valid(notice)) return fakeroot::go_on();
    if (::prlimit(notice.thread, identity_limit, &limit, nullptr) != 0) return fakeroot::error(EAGAIN);
    return fakeroot::value(0);
}

Reply Server::show_three(const Notice& notice, const IdSet& ids) const {
    const std::uint32_t shown[] = {ids.real, ids.effective, ids.saved};
    for (std::size_t i = 0; i < 3; ++i) {
        if (!listener_.write_memory(notice, notice.call.args[i], std::as_bytes(std::span(&shown[i], 1))))
            return fakeroot::error(EFAULT);
    }
    return fakeroot::value(0);
}

Reply Server::show_groups(const Notice& notice, const Identity& identity) const {
    const auto room = static_cast<std::int32_t>(notice.call.args[0]);
    const std::vector<std::uint32_t>& groups = identity.supplementary;
    const auto count = static_cast<std::int32_t>(groups.size());
    if (room == 0 || count == 0) return room < 0 ? fakeroot::error(EINVAL) : fakeroot::value(count);
    if (room < count) return fakeroot::error(EINVAL);
    return listener_.write_memory(notice, notice.call.args[1], std::as_bytes(std::span(groups)))
               ? fakeroot::value(count)
               : fakeroot::error(EFAULT);
}

Reply Server::set_groups(const Notice& notice, Identity identity) {
    constexpr std::int32_t most = 65536;  // NGROUPS_MAX
    const auto count = static_cast<std::int32_t>(notice.call.args[0]);
    if (!identity.is_privileged()) return fakeroot::error(EPERM);
    if (count < 0 || count > most) return fakeroot::error(EINVAL);
    std::vector<std::uint32_t> groups(static_cast<std::size_t>(count));
    const auto bytes = std::as_writable_bytes(std::span(groups));
    if (count != 0 && !listener_.read_memory(notice, notice.call.args[1], bytes)) return fakeroot::error(EFAULT);
    const int failed = set_supplementary(identity, std::move(groups));
    return failed == 0 ? take_on(notice, identity) : fakeroot::error(failed);
}

Reply Server::identify(const Notice& notice) {
    Identity identity = identity_of(notice);
    const auto id = [&](std::size_t i) { return static_cast<std::uint32_t>(notice.call.args[i]); };
    int failed = 0;
    switch (notice.call.nr) {
        case SYS_getuid: return fakeroot::value(identity.users.real);
        case SYS_geteuid: return fakeroot::value(identity.users.effective);
        case SYS_getgid: return fakeroot::value(identity.groups.real);
        case SYS_getegid: return fakeroot::value(identity.groups.effective);
        case SYS_getresuid: return show_three(notice, identity.users);
        case SYS_getresgid: return show_three(notice, identity.groups);
        case SYS_getgroups: return show_groups(notice, identity);
        case SYS_setgroups: return set_groups(notice, std::move(identity));
        case SYS_setuid: failed = set_id(identity, IdKind::users, id(0)); break;
        case SYS_setgid: failed = set_id(identity, IdKind::groups, id(0)); break;
        case SYS_setreuid: failed = set_real_effective(identity, IdKind::users, id(0), id(1)); break;
        case SYS_setregid: failed = set_real_effective(identity, IdKind::groups, id(0), id(1)); break;
        case SYS_setresuid: failed = set_real_effective_saved(identity, IdKind::users, {id(0), id(1), id(2), 0}); break;
        case SYS_setresgid:
            failed = set_real_effective_saved(identity, IdKind::groups, {id(0), id(1), id(2), 0});
            break;
        case SYS_setfsuid:
        case SYS_setfsgid: {
            const IdKind kind = notice.call.nr == SYS_setfsuid ? IdKind::users : IdKind::groups;
            const std::uint32_t before = set_filesystem(identity, kind, id(0));
            static_cast<void>(take_on(notice, identity));
            return fakeroot::value(before);
        }
        case SYS_prctl:
            keep_capabilities(identity, notice.call.args[1], image_of(notice));
            static_cast<void>(take_on(notice, identity));
            return fakeroot::go_on();
        default: return fakeroot::go_on();
    }
    return failed == 0 ? take_on(notice, identity) : fakeroot::error(failed);
}

// ---- the process
// -----------------------------------------------------------------------------------------------------

void keep_only(int one, int other) {
    const auto low = static_cast<unsigned>(std::min(one, other));
    const auto high = static_cast<unsigned>(std::max(one, other));
    // Not the supervisor's locks and pipes: they would outlive it here. Standard error stays, for what goes wrong.
    if (low > 3) ::close_range(3, low - 1, 0);
    if (high > low + 1) ::close_range(low + 1, high - 1, 0);
    ::close_range(high + 1, ~0U, 0);
}

[[noreturn]] void serve(int listener, int line, const FilterProgram& profile, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::setsid();  // signals of the caller's terminal are for the supervisor
    keep_only(listener, line);
    ::umask(0);
    try {
        Server(Fd(listener), Fd(line), profile).run();
    } catch (const std::exception& failure) {
        // Calls that ask from now on are answered ENOSYS, by the kernel.
        const std::string text = format("stagebox: the jail's fakeroot has ended: {}\n", failure.what());
        static_cast<void>(!::write(2, text.data(), text.size()));
        ::_exit(1);
    }
    ::_exit(0);
}

}  // namespace

FakerootServer start_fakeroot(int listener, const FilterProgram& profile) {
    int pair[2];
    sys([&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair); }, "make the view's line");
    FakerootServer view;
    view.passed_on = Fd(pair[0]);
    const Fd line(pair[1]);
    int pidfd = -1;
    const pid_t parent = ::getpid();
    const long pid = os::clone_process(0, pidfd);
    if (pid < 0) throw os::SysError(static_cast<int>(-pid), "start the jail's fakeroot");
    if (pid == 0) serve(listener, line.get(), profile, parent);
    view.process = os::Child(static_cast<pid_t>(pid), Fd(pidfd));
    return view;
}

}  // namespace sandbox
