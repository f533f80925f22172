#include "sandbox/bubblewrap/launch.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/bubblewrap/child.hpp"
#include "sandbox/launch/task_image.hpp"
#include "sandbox/os/caps.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox {
namespace {

using os::Fd;
using os::sys;

struct Pipe {
    Fd read;
    Fd write;
};

// The child's end moves out of the way of every descriptor that it inherits or that its plan opens.
Fd out_of_the_way(int fd, const BubblewrapPlan& plan) {
    const Fd owned(fd);
    const int lowest = first_slot_fd + plan.slots;
    return Fd(sys([&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, lowest); }, "duplicate a descriptor"));
}

// From the child to here.
Pipe open_pipe(const BubblewrapPlan& plan) {
    int pair[2];
    sys([&] { return ::pipe2(pair, O_CLOEXEC); }, "make a pipe");
    Fd mine(pair[0]);
    return {std::move(mine), out_of_the_way(pair[1], plan)};
}

// From here to the child; a socket, because a pipe whose reader has gone raises SIGPIPE.
Pipe open_control(const BubblewrapPlan& plan) {
    int pair[2];
    sys([&] { return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair); }, "make a control socket");
    Fd mine(pair[0]);
    return {out_of_the_way(pair[1], plan), std::move(mine)};
}

std::size_t place_of_pwd(const std::vector<std::string>& envp) {
    for (std::size_t i = 0; i < envp.size(); ++i) {
        if (envp[i].starts_with("PWD=")) return i;
    }
    throw std::logic_error("the environment of a jail in bubblewrap mode has PWD");
}

// What is plain numbers of the task.
void set_numbers(BubblewrapTask& task, const BubblewrapPlan& plan) {
    const BubblewrapTerms& terms = plan.terms;
    task.build.capabilities = terms.capabilities.value_or(own_capabilities());
    task.build.last_capability = last_capability();
    task.has_init = !terms.is_pid_1 && (terms.pid == Share::own || terms.sync_fd >= 0 || !terms.locks.empty());
    task.dies_with_parent = terms.dies_with_parent;
    task.new_session = terms.new_session;
    task.changes_ids = terms.user_namespace >= 0 && (::getuid() != plan.uid || ::getgid() != plan.gid);
    task.bounds = terms.user == Share::own || terms.user_namespace >= 0;
    task.sets_capabilities = terms.capabilities.has_value();
    task.block_fd = terms.block_fd;
    task.sync_fd = terms.sync_fd;
    task.pwd_place = place_of_pwd(plan.envp);
}

// The memory that the child walks, of which it has a copy.
TaskImage make_image(const BubblewrapPlan& plan) {
    static_assert(offsetof(BubblewrapTask, build) == 0, "it is a ChildTask, too");
    TaskImage image = TaskImage::of<BubblewrapTask>();
    const auto task = [&image]() -> BubblewrapTask& { return image.task<BubblewrapTask>(); };
    set_numbers(task(), plan);
    set_plan(image, plan);
    image.set(task().build.more_filters, plan.terms.filters);
    image.set(task().locks, plan.terms.locks);
    image.set(task().directories, plan.terms.directories);
    std::vector<std::string> pwd_texts;
    for (const std::string& directory : plan.terms.directories) pwd_texts.push_back("PWD=" + directory);
    image.set(task().pwd_texts, pwd_texts);
    std::vector<std::string> shell_argv = {"/bin/sh", ""};
    shell_argv.insert(shell_argv.end(), plan.argv.begin() + 1, plan.argv.end());
    image.set(task().shell_argv, shell_argv);
    return image;
}

// The child goes on with a copy of this process's memory, where another thread may have held a lock.
void check_one_thread() {
    struct stat status = {};
    sys([&] { return ::stat("/proc/self/task", &status); }, "look at /proc/self/task");
    if (status.st_nlink != 3)
        throw std::logic_error("a jail in bubblewrap mode can only be started by a process that has one thread");
}

// setns(2); a PID namespace takes effect for the next child only.
void enter_namespaces(const BubblewrapTerms& terms) {
    if (terms.user_namespace >= 0) {
        sys([&] { return ::setns(terms.user_namespace, CLONE_NEWUSER); },
            "enter the user namespace of descriptor {} (it must descend from the caller's, and be its caller's)",
            terms.user_namespace);
    }
    if (terms.pid_namespace >= 0) {
        sys([&] { return ::setns(terms.pid_namespace, CLONE_NEWPID); }, "enter the PID namespace of descriptor {}",
            terms.pid_namespace);
    }
}

// Until the command's exec, which closes the pipe; or why there was none, and then the child is reaped.
std::optional<SetupError> wait_for_exec(const Fd& report, const Fd& child, const BubblewrapPlan& plan) {
    FailureRecord record{};
    const long got = sys([&] { return ::read(report.get(), &record, sizeof record); }, "read the jail's report");
    if (got != sizeof record) return std::nullopt;
    static_cast<void>(os::try_sys([&] { return ::waitid(P_PIDFD, static_cast<id_t>(child.get()), nullptr, WEXITED); }));
    return explain(record, plan);
}

}  // namespace

std::variant<BubblewrapJail, SetupError> launch_bubblewrap(const BubblewrapPlan& plan,
                                                           const BeforeBubblewrapStart& before_start) {
    check_one_thread();
    enter_namespaces(plan.terms);
    TaskImage image = make_image(plan);
    auto& task = image.task<BubblewrapTask>();
    Pipe go = open_control(plan);
    Pipe report = open_pipe(plan);
    Pipe end = open_pipe(plan);
    task.build.report_fd = report.write.get();
    task.go_fd = go.read.get();
    // Without a PID namespace init ends when its last child has, and says the same.
    const bool init_reports = task.has_init && plan.terms.pid == Share::own;
    if (init_reports) task.end_fd = end.write.get();

    int pidfd = -1;
    // Not clone3: handlers are the caller's business here, and clone(2) is what filters of containers know.
    const long pid = ::syscall(SYS_clone, plan.clone_flags | CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, nullptr);
    if (pid == 0) {
        go.write.reset();  // or the child would not see the parent's end of it close
        bubblewrap_main(task);
    }
    if (pid < 0) return explain({Point::clone, 0, errno}, plan);
    Fd child(pidfd);
    go.read.reset();
    report.write.reset();
    end.write.reset();

    before_start(static_cast<pid_t>(pid));
    const char byte = 1;
    // A child that has failed does not read; its report says why.
    static_cast<void>(os::try_sys([&] { return ::send(go.write.get(), &byte, 1, MSG_NOSIGNAL); }));
    if (auto error = wait_for_exec(report.read, child, plan)) return *std::move(error);
    return BubblewrapJail(static_cast<pid_t>(pid), std::move(child), init_reports ? std::move(end.read) : Fd());
}

os::WaitStatus BubblewrapJail::wait() {
    if (end_) {
        os::WaitStatus end;
        const long got = sys([&] { return ::read(end_.get(), &end, sizeof end); }, "read how the command ended");
        if (got == sizeof end) return end;
    }
    siginfo_t info = {};
    sys([&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED); }, "wait for the jail");
    return {info.si_code, info.si_status};
}

}  // namespace sandbox
