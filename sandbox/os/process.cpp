#include "sandbox/os/process.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "sandbox/os/default_path.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox::os {
namespace {

// What is kept of what a helper says on standard error.
constexpr std::size_t longest_error = 16384;

// What CLONE_CLEAR_SIGHAND does; only system calls, because it runs in the child.
void reset_handlers() noexcept {
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction now = {};
        if (::sigaction(number, nullptr, &now) != 0 || now.sa_handler == SIG_IGN) continue;
        now = {};
        ::sigaction(number, &now, nullptr);
    }
}

// With every signal blocked until the handlers are reset: none of the parent's may run in the child.
long clone_by_registers(std::uint64_t flags, int& pidfd) noexcept {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    long pid = ::syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, nullptr);
    if (pid < 0) pid = -errno;
    if (pid == 0) reset_handlers();
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return pid;
}

}  // namespace

long clone_process(std::uint64_t flags, int& pidfd, int cgroup) noexcept {
    struct clone_args how = {};
    how.flags = flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    how.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    how.exit_signal = SIGCHLD;
    if (cgroup >= 0) {
        how.flags |= CLONE_INTO_CGROUP;
        how.cgroup = static_cast<std::uint64_t>(cgroup);
    }
    const long pid = ::syscall(SYS_clone3, &how, sizeof how);
    if (pid >= 0) return pid;
    if (cgroup >= 0) return -errno;
    // EPERM may also be the kernel's own answer; then the older call gets the same one.
    return errno == ENOSYS || errno == EPERM ? clone_by_registers(flags, pidfd) : -errno;
}

std::string in_words(WaitStatus how) {
    if (how.has_exited()) return format("ended with exit code {}", how.status);
    return format("was ended by signal {} ({})", how.status, ::strsignal(how.status));
}

Child& Child::operator=(Child&& other) noexcept {
    if (this != &other) {
        Child old(std::move(*this));
        pid_ = std::exchange(other.pid_, -1);
        pidfd_ = std::move(other.pidfd_);
    }
    return *this;
}

Child::~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);  // not reaped yet, so the number is still this child's
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) == -1 && errno == EINTR) {
    }
}

void Child::signal(int number) const {
    if (pid_ <= 0) return;
    if (::kill(pid_, number) == -1 && errno != ESRCH) {
        throw SysError(errno, format("send signal {} to process {}", number, pid_));
    }
}

Ending Child::wait() {
    Ending ending;
    siginfo_t info{};
    // The raw call, because glibc's waitid does not pass the fifth argument, which returns the usage.
    sys([&] { return ::syscall(SYS_waitid, P_PID, pid_, &info, WEXITED, &ending.usage); }, "wait for process {}", pid_);
    ending.how = {info.si_code, info.si_status};
    pid_ = -1;
    pidfd_.reset();
    return ending;
}

Helper start_helper(const std::string& path, const std::vector<std::string>& argv, const HelperFiles& files) {
    int ends[2];
    sys([&] { return ::pipe2(ends, O_CLOEXEC); }, "make a pipe for {}", path);
    Fd reader(ends[0]);
    const Fd writer(ends[1]);
    const Fd null(sys([] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); }, "open /dev/null"));

    std::vector<char*> arguments;
    arguments.reserve(argv.size() + 1);
    for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    std::string path_variable = format("PATH={}", default_path);
    char locale[] = "LC_ALL=C.UTF-8";
    char* const environment[] = {path_variable.data(), locale, nullptr};

    const pid_t parent = ::getpid();
    int pidfd = -1;
    const long pid = clone_process(0, pidfd);
    if (pid < 0) throw SysError(static_cast<int>(-pid), format("start {}", path));
    if (pid == 0) {
        // Only system calls from here: the program may hold locks that this copy of it can never release.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(126);
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::dup2(files.input < 0 ? null.get() : files.input, 0);
        ::dup2(files.output < 0 ? null.get() : files.output, 1);
        ::dup2(writer.get(), 2);
        if (files.program < 0) {
            ::execve(path.c_str(), arguments.data(), environment);
        } else {
            ::syscall(SYS_execveat, files.program, "", arguments.data(), environment, AT_EMPTY_PATH);
        }
        ::_exit(127);
    }
    return Helper{Child(static_cast<pid_t>(pid), Fd(pidfd)), std::move(reader)};
}

Captured finish_helper(Helper helper) {
    Captured captured;
    char buffer[1024];
    for (;;) {
        const long got =
            sys([&] { return ::read(helper.standard_error.get(), buffer, sizeof buffer); }, "read what a helper says");
        if (got == 0) break;
        const std::size_t room = longest_error - std::min(captured.standard_error.size(), longest_error);
        captured.standard_error.append(buffer, std::min(static_cast<std::size_t>(got), room));
    }
    captured.how = helper.child.wait().how;
    return captured;
}

}  // namespace sandbox::os
