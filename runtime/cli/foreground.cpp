#include "runtime/cli/foreground.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "sandbox/launch.hpp"
#include "sandbox/os/event_loop.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::cli {

using sandbox::os::Fd;
using sandbox::os::sys;
using sandbox::os::try_sys;

namespace {

constexpr int jail_failed = 125;

int exit_code(const sandbox::Outcome& outcome) {
    if (const auto* exited = std::get_if<sandbox::Exited>(&outcome.how)) return exited->code;
    if (const auto* signaled = std::get_if<sandbox::Signaled>(&outcome.how)) return 128 + signaled->number;
    return 128 + SIGKILL;
}

int exit_code(const sandbox::SetupError& error) {
    std::fprintf(stderr, "stagebox: %s\n", sandbox::to_string(error).c_str());
    if (!error.is_exec()) return jail_failed;
    return error.error == ENOENT || error.error == ENOTDIR ? 127 : 126;
}

int wait_in_loop(sandbox::os::EventLoop& loop, sandbox::Jail& jail) {
    bool has_ended = false;
    loop.watch(jail.pidfd(), [&] { has_ended = true; });
    while (!has_ended) loop.run_once();
    loop.forget(jail.pidfd());
    return exit_code(jail.wait());
}

// The caller's terminal in raw mode; as it was, when the object is gone.
class RawTerminal {
  public:
    RawTerminal() {
        sys([&] { return ::tcgetattr(0, &before_); }, "ask the terminal");
        termios raw = before_;
        ::cfmakeraw(&raw);
        sys([&] { return ::tcsetattr(0, TCSADRAIN, &raw); }, "set the terminal up");
    }
    ~RawTerminal() { ::tcsetattr(0, TCSADRAIN, &before_); }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

  private:
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

// Moves what can be read to the other side; read(2)'s answer, or -errno.
long relay(int from, int to) {
    char buffer[4096];
    const long got = try_sys([&] { return ::read(from, buffer, sizeof buffer); });
    if (got > 0) sandbox::os::write_all(to, {buffer, static_cast<std::size_t>(got)}, "the terminal");
    return got;
}

}  // namespace

int run_in_foreground(const sandbox::Spec& spec, const sandbox::Command& command) {
    // Before the jail is there: a signal that comes while it is built waits until it can be handed on.
    sandbox::os::EventLoop loop;
    std::optional<sandbox::Jail> jail;
    loop.take_signals({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}, [&](int number) { jail->signal(number); });
    auto launched = sandbox::launch(sandbox::make_plan(spec, command));
    if (const auto* error = std::get_if<sandbox::SetupError>(&launched)) return exit_code(*error);
    jail.emplace(std::move(std::get<sandbox::Jail>(launched)));
    return wait_in_loop(loop, *jail);
}

int run_on_terminal(const sandbox::Spec& spec, sandbox::Command command) {
    Fd inner;
    const Fd outer = open_terminal(inner);
    copy_window_size(0, outer.get());
    command.stdin_fd = command.stdout_fd = command.stderr_fd = inner.get();
    command.controlling_terminal = true;

    sandbox::os::EventLoop loop;
    std::optional<sandbox::Jail> jail;
    loop.take_signals({SIGTERM, SIGHUP, SIGWINCH}, [&](int number) {
        if (number == SIGWINCH) {
            copy_window_size(0, outer.get());
        } else {
            jail->signal(number);
        }
    });
    auto launched = sandbox::launch(sandbox::make_plan(spec, command));
    inner.reset();
    if (const auto* error = std::get_if<sandbox::SetupError>(&launched)) return exit_code(*error);
    jail.emplace(std::move(std::get<sandbox::Jail>(launched)));

    const RawTerminal raw;
    loop.watch(0, [&] {
        if (relay(0, outer.get()) <= 0) loop.forget(0);
    });
    // EIO when nobody has the other side open any more.
    loop.watch(outer.get(), [&] {
        if (relay(outer.get(), 1) <= 0) loop.forget(outer.get());
    });
    const int code = wait_in_loop(loop, *jail);
    sys([&] { return ::fcntl(outer.get(), F_SETFL, O_NONBLOCK); }, "drain the pseudoterminal");
    while (relay(outer.get(), 1) > 0) {
    }
    return code;
}

}  // namespace runtime::cli
