#include "runtime/jail/foreground.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "runtime/jail/cgroups.hpp"
#include "runtime/jail/limit_watch.hpp"
#include "runtime/jail/user_network.hpp"
#include "runtime/report/exit_codes.hpp"
#include "sandbox/launch/launch.hpp"
#include "sandbox/os/event_loop.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/spec/limits_text.hpp"
#include "stages/pipeline/failure_policy.hpp"

namespace runtime::jail {

using report::ExitCode;
using sandbox::os::Fd;
using sandbox::os::sys;
using sandbox::os::try_sys;

namespace {

int exit_code(const sandbox::SetupError& error) {
    std::fprintf(stderr, "stagebox: %s\n", sandbox::to_string(error).c_str());
    if (!error.is_exec()) return ExitCode::jail_not_built;
    return error.error == ENOENT || error.error == ENOTDIR ? ExitCode::not_found : ExitCode::not_executable;
}

// The jail's cgroup, where a limit needs one: without, none is asked for, which would take time.
sandbox::Cgroup limit(jail::JailCgroups& cgroups, sandbox::BuildSpec& spec) {
    if (sandbox::limits_of_cgroup(spec.limits).empty()) return {};
    cgroups.apply(spec);
    return cgroups.make(spec.limits);
}

void tell_limits(const sandbox::Outcome& outcome, const sandbox::Limits& limits) {
    if (!outcome.counted) return;
    if (outcome.counted->oom_kills > 0 && limits.memory) {
        std::fprintf(stderr, "stagebox: the command was ended at its limit of memory, %s\n",
                     sandbox::bytes_text(*limits.memory).c_str());
    }
    if (outcome.counted->refused_forks > 0 && limits.pids) {
        std::fprintf(stderr, "stagebox: %llu processes could not be started at the limit of pids, %llu\n",
                     static_cast<unsigned long long>(outcome.counted->refused_forks),
                     static_cast<unsigned long long>(*limits.pids));
    }
}

// As timeout(1) has it.
constexpr int out_of_time = 124;

int wait_in_loop(sandbox::os::EventLoop& loop, sandbox::Jail& jail, const sandbox::Limits& limits,
                 const jail::UserNetwork& network) {
    bool has_ended = false;
    bool is_over_limit = false;
    const jail::LimitWatch watch(loop, limits, [&](jail::Limit, const std::string& what) {
        std::fprintf(stderr, "stagebox: the command is ended: %s\n", what.c_str());
        is_over_limit = true;
        jail.signal(SIGTERM);
        loop.after(stages::default_grace, [&] { jail.kill(); });
    });
    loop.watch(jail.pidfd(), [&] { has_ended = true; });
    while (!has_ended) loop.run_once();
    loop.forget(jail.pidfd());
    if (const auto why = network.why_lost()) std::fprintf(stderr, "stagebox: %s\n", why->c_str());
    const sandbox::Outcome outcome = jail.wait();
    tell_limits(outcome, limits);
    return is_over_limit ? out_of_time : outcome.how.shell_code();
}

void tell_denials(const jail::DenialWatch* watch, const Hearing& hearing, int code) {
    if (watch == nullptr) return;
    if (hearing.at_end) hearing.at_end(watch->log());
    if (code == 0) return;
    for (const std::string& line : jail::to_lines(watch->log(), 10)) {
        std::fprintf(stderr, "stagebox: %s\n", line.c_str());
    }
}

// The caller's terminal, where it has one, in raw mode; as it was, when the object is gone.
class RawTerminal {
  public:
    RawTerminal() : is_terminal_(::isatty(0) == 1) {
        if (!is_terminal_) return;
        sys([&] { return ::tcgetattr(0, &before_); }, "ask the terminal");
        termios raw = before_;
        ::cfmakeraw(&raw);
        sys([&] { return ::tcsetattr(0, TCSADRAIN, &raw); }, "set the terminal up");
    }
    ~RawTerminal() {
        if (is_terminal_) ::tcsetattr(0, TCSADRAIN, &before_);
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

  private:
    bool is_terminal_;
    termios before_{};
};

Fd open_terminal(Fd& inner) {
    Fd outer(sys([] { return ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); }, "open a pseudoterminal"));
    sys([&] { return ::grantpt(outer.get()); }, "set the pseudoterminal up");
    sys([&] { return ::unlockpt(outer.get()); }, "unlock the pseudoterminal");
    // By descriptor, not by name: TIOCGPTPEER, ioctl_tty(2).
    inner = Fd(sys([&] { return ::ioctl(outer.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); },
                   "open the pseudoterminal's other side"));
    return outer;
}

void copy_window_size(int from, int to) {
    winsize size{};
    if (::ioctl(from, TIOCGWINSZ, &size) == 0) ::ioctl(to, TIOCSWINSZ, &size);
}

// Standard input on its way to the terminal. Nothing here waits for the payload to read: what the terminal does not
// take yet is kept and tried again, or a payload that only writes would never be heard.
class Input {
  public:
    Input(sandbox::os::EventLoop& loop, int terminal) : loop_(loop), terminal_(terminal) {
        struct stat status = {};
        // epoll(7) takes neither regular files nor /dev/null; they can always be read.
        const bool can_be_watched =
            ::fstat(0, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || ::isatty(0) == 1);
        if (can_be_watched) {
            loop_.watch(0, [this] { take(); });
            is_watched_ = true;
        } else {
            take();
        }
    }
    ~Input() { forget(); }
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;

  private:
    void forget() {
        if (std::exchange(is_watched_, false)) loop_.forget(0);
    }

    void take() {
        char buffer[2048];
        const long got = try_sys([&] { return ::read(0, buffer, sizeof buffer); });
        if (got > 0) {
            pending_.append(buffer, static_cast<std::size_t>(got));
        } else {
            forget();
            has_ended_ = true;
            // Ends a line that has begun, then the input; of a caller's terminal, which is raw, there is no such end.
            if (::isatty(0) != 1) pending_ += has_open_line_ ? "\x04\x04" : "\x04";
        }
        if (got > 0) has_open_line_ = pending_.back() != '\n';
        pass_on();
    }

    void pass_on() {
        const long wrote = try_sys([&] { return ::write(terminal_, pending_.data(), pending_.size()); });
        if (wrote > 0) pending_.erase(0, static_cast<std::size_t>(wrote));
        if (!pending_.empty()) {
            forget();
            loop_.after(std::chrono::milliseconds(5), [this] { pass_on(); });
        } else if (!has_ended_ && !is_watched_) {
            resume();
        }
    }

    void resume() {
        struct stat status = {};
        if (::fstat(0, &status) == 0 && S_ISREG(status.st_mode)) {
            loop_.after(std::chrono::milliseconds(0), [this] { take(); });
        } else {
            loop_.watch(0, [this] { take(); });
            is_watched_ = true;
        }
    }

    sandbox::os::EventLoop& loop_;
    int terminal_;
    std::string pending_;
    bool is_watched_ = false;
    bool has_ended_ = false;
    bool has_open_line_ = false;
};

// Moves what can be read from the terminal to standard output; read(2)'s answer, or -errno.
long relay(int terminal) {
    char buffer[4096];
    const long got = try_sys([&] { return ::read(terminal, buffer, sizeof buffer); });
    if (got > 0) sandbox::os::write_all(1, {buffer, static_cast<std::size_t>(got)}, "to standard output");
    return got;
}

}  // namespace

int run_in_foreground(sandbox::BuildSpec spec, const sandbox::Command& command, const Hearing& hearing,
                      const Follower& follower) {
    // Before the jail is there: a signal that comes while it is built waits until it can be handed on.
    sandbox::os::EventLoop loop;
    jail::JailCgroups cgroups;
    jail::UserNetwork network;
    std::optional<sandbox::Jail> jail;
    loop.take_signals({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}, [&](int number) { jail->signal(number); });
    sandbox::Cgroup cgroup = limit(cgroups, spec);
    auto launched =
        jail::launch(spec, command, network, follower.before_start, follower.when_cloned, std::move(cgroup));
    if (const auto* error = std::get_if<sandbox::SetupError>(&launched)) return exit_code(*error);
    jail.emplace(std::move(std::get<sandbox::Jail>(launched)));
    if (follower.started) follower.started();
    const auto watch = jail::watch_denials(loop, *jail, spec, hearing.handlers);
    const int code = wait_in_loop(loop, *jail, spec.limits, network);
    tell_denials(watch.get(), hearing, code);
    return code;
}

int run_on_terminal(sandbox::BuildSpec spec, sandbox::Command command, const Follower& follower) {
    Fd inner;
    const Fd outer = open_terminal(inner);
    const int window = ::isatty(0) == 1 ? 0 : 1;
    copy_window_size(window, outer.get());
    command.stdin_fd = command.stdout_fd = command.stderr_fd = inner.get();
    command.controlling_terminal = true;

    sandbox::os::EventLoop loop;
    jail::JailCgroups cgroups;
    jail::UserNetwork network;
    std::optional<sandbox::Jail> jail;
    loop.take_signals({SIGTERM, SIGHUP, SIGWINCH}, [&](int number) {
        number == SIGWINCH ? copy_window_size(window, outer.get()) : jail->signal(number);
    });
    sandbox::Cgroup cgroup = limit(cgroups, spec);
    auto launched =
        jail::launch(spec, command, network, follower.before_start, follower.when_cloned, std::move(cgroup));
    inner.reset();
    if (const auto* error = std::get_if<sandbox::SetupError>(&launched)) return exit_code(*error);
    jail.emplace(std::move(std::get<sandbox::Jail>(launched)));

    if (follower.started) follower.started();
    const auto watch = jail::watch_denials(loop, *jail, spec);
    const RawTerminal raw;
    sys([&] { return ::fcntl(outer.get(), F_SETFL, O_NONBLOCK); }, "set the pseudoterminal up");
    std::optional<Input> input(std::in_place, loop, outer.get());
    // EIO when nobody has the other side open any more.
    loop.watch(outer.get(), [&] {
        const long got = relay(outer.get());
        if (got <= 0 && got != -EAGAIN) loop.forget(outer.get());
    });
    const int code = wait_in_loop(loop, *jail, spec.limits, network);
    input.reset();
    while (relay(outer.get()) > 0) {
    }
    return code;
}

}  // namespace runtime::jail
