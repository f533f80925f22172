#include "sandbox/launch.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "sandbox/caps.hpp"
#include "sandbox/child.hpp"
#include "sandbox/idmap.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox {
namespace {

using os::Fd;
using os::sys;

void check_one_thread() {
    struct stat status = {};
    sys([&] { return ::stat("/proc/self/task", &status); }, "look at /proc/self/task");
    if (status.st_nlink != 3) {
        throw std::logic_error("a jail can only be started by a process that has one thread");
    }
}

// The same open file under a number that neither the payload's streams nor the plan's slots will take.
Fd out_of_the_way(int fd, const Plan& plan) {
    const int lowest = first_slot_fd + plan.slots;
    return Fd(sys([&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, lowest); }, "duplicate descriptor {}", fd));
}

// Every signal is blocked around the clone, so that the child never runs one of the parent's handlers.
class AllSignalsBlocked {
  public:
    AllSignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, &before_);
    }
    ~AllSignalsBlocked() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

  private:
    sigset_t before_{};
};

// What both sides hold while the jail comes about.
struct Channels {
    Fd line;
    Fd child_line;
    Fd report;
    Fd child_report;
    std::array<Fd, 3> streams;
    std::array<int, 5> keep;
};

Channels open_channels(const Plan& plan) {
    Channels channels;
    int pair[2];
    sys([&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair); }, "make the jail's line");
    channels.line = Fd(pair[0]);
    channels.child_line = out_of_the_way(Fd(pair[1]).get(), plan);
    sys([&] { return ::pipe2(pair, O_CLOEXEC); }, "make the jail's report pipe");
    channels.report = Fd(pair[0]);
    channels.child_report = out_of_the_way(Fd(pair[1]).get(), plan);
    for (std::size_t i = 0; i < 3; ++i) channels.streams[i] = out_of_the_way(plan.stdio[i], plan);
    channels.keep = {channels.child_line.get(), channels.child_report.get(), channels.streams[0].get(),
                     channels.streams[1].get(), channels.streams[2].get()};
    std::sort(channels.keep.begin(), channels.keep.end());
    return channels;
}

ChildTask make_task(const Plan& plan, const Channels& channels) {
    ChildTask task = {};
    task.steps = plan.steps.data();
    task.step_count = plan.steps.size();
    task.keep = channels.keep.data();
    task.keep_count = channels.keep.size();
    task.report_fd = channels.child_report.get();
    task.line_fd = channels.child_line.get();
    task.drop_groups = plan.ids.mode == IdMode::range || ::geteuid() == 0;
    task.argv = plan.argv.data();
    task.envp = plan.envp.data();
    task.executables = plan.executables.data();
    task.executable_count = plan.executables.size();
    task.cwd = plan.cwd;
    task.uid = plan.uid;
    task.gid = plan.gid;
    for (std::size_t i = 0; i < 3; ++i) task.stdio[i] = channels.streams[i].get();
    task.controlling_terminal = plan.controlling_terminal;
    task.rlimits = plan.rlimits.data();
    task.rlimit_count = plan.rlimits.size();
    task.capabilities = plan.capabilities;
    task.last_capability = last_capability();
    task.filter = plan.filter.instructions.data();
    task.filter_length = plan.filter.instructions.size();
    return task;
}

// Returns the child, or -errno.
std::variant<os::Child, int> clone_child(const Plan& plan, const ChildTask& task) {
    int pidfd = -1;
    struct clone_args how = {};
    how.flags = plan.clone_flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    how.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    how.exit_signal = SIGCHLD;
    const AllSignalsBlocked blocked;
    const long pid = ::syscall(SYS_clone3, &how, sizeof how);
    if (pid == 0) child_main(task);
    if (pid < 0) return errno;
    return os::Child(static_cast<pid_t>(pid), Fd(pidfd));
}

SetupError id_map_failure(const std::string& what) {
    return {.point = Point::id_maps, .error = EPERM, .what = "map the jail's ids: " + what, .remedy = {}};
}

// Waits for the exec, which closes the pipe, or for the record of what failed.
bool read_failure(const Fd& report, FailureRecord& record) {
    const long got = sys([&] { return ::read(report.get(), &record, sizeof record); }, "read the jail's report");
    return got == sizeof record;
}

}  // namespace

std::variant<Jail, SetupError> launch(const Plan& plan) {
    check_one_thread();
    Channels channels = open_channels(plan);
    const ChildTask task = make_task(plan, channels);
    auto cloned = clone_child(plan, task);
    if (const int* error = std::get_if<int>(&cloned)) return explain({Point::clone, 0, *error}, plan);
    auto& child = std::get<os::Child>(cloned);
    channels.child_line.reset();
    channels.child_report.reset();

    try {
        apply_idmap(child.pid(), plan.ids, nullptr);
    } catch (const std::exception& error) {
        return id_map_failure(error.what());
    }
    const char go = 1;
    // A child that has already failed does not read; its report says why.
    static_cast<void>(::send(channels.line.get(), &go, 1, MSG_NOSIGNAL));

    FailureRecord record{};
    if (read_failure(channels.report, record)) return explain(record, plan);
    return Jail(std::move(child), std::move(channels.line));
}

void Jail::signal(int number) {
    const auto byte = static_cast<unsigned char>(number);
    static_cast<void>(::send(line_.get(), &byte, 1, MSG_NOSIGNAL));
}

Outcome Jail::wait() {
    const os::Ending ending = init_.wait();
    PayloadEnd end{};
    const long got = os::try_sys([&] { return ::recv(line_.get(), &end, sizeof end, MSG_DONTWAIT); });
    Outcome outcome{Killed{}, ending.usage};
    if (got == sizeof end) {
        if (end.code == CLD_EXITED) {
            outcome.how = Exited{end.status};
        } else {
            outcome.how = Signaled{end.status};
        }
    }
    return outcome;
}

}  // namespace sandbox
