#include "sandbox/bubblewrap/launch.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string_view>
#include <vector>

#include "sandbox/bubblewrap/child.hpp"
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
Fd move_out_of_the_way(int fd, const Plan& plan) {
    const Fd owned(fd);
    const int lowest = first_slot_fd + plan.slots;
    return Fd(sys([&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, lowest); }, "duplicate a descriptor"));
}

// From the child to here.
Pipe open_pipe(const Plan& plan) {
    int pair[2];
    sys([&] { return ::pipe2(pair, O_CLOEXEC); }, "make a pipe");
    Fd mine(pair[0]);
    return {std::move(mine), move_out_of_the_way(pair[1], plan)};
}

// From here to the child; a socket, because a pipe whose reader has gone raises SIGPIPE.
Pipe open_control(const Plan& plan) {
    int pair[2];
    sys([&] { return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair); }, "make a control socket");
    Fd mine(pair[0]);
    return {move_out_of_the_way(pair[1], plan), std::move(mine)};
}

// The plan as plain memory; lives until the child has a copy.
struct Memory {
    std::vector<std::string> pwd_texts;
    std::vector<const char*> pwds;
    std::vector<const char*> envp;
    std::vector<const char*> shell_argv;
};

Memory make_memory(const Plan& plan) {
    Memory memory;
    memory.envp = plan.envp;
    for (const char* directory : plan.directories) memory.pwd_texts.push_back(std::string("PWD=") + directory);
    for (const std::string& text : memory.pwd_texts) memory.pwds.push_back(text.c_str());
    memory.shell_argv = {"/bin/sh", nullptr};
    memory.shell_argv.insert(memory.shell_argv.end(), plan.argv.begin() + 1, plan.argv.end());
    return memory;
}

const char** place_of_pwd(std::vector<const char*>& envp) {
    for (const char*& variable : envp) {
        if (variable != nullptr && std::string_view(variable).starts_with("PWD=")) return &variable;
    }
    throw std::logic_error("the environment of a jail in bubblewrap mode has PWD");
}

ChildTask build_task(const Plan& plan, const Memory& memory, int report_fd) {
    ChildTask task = {};
    task.steps = plan.steps.data();
    task.step_count = plan.steps.size();
    task.report_fd = report_fd;
    task.control_fd = -1;
    task.argv = plan.argv.data();
    task.envp = memory.envp.data();
    task.executables = plan.executables.data();
    task.executable_count = plan.executables.size();
    task.uid = plan.uid;
    task.gid = plan.gid;
    task.capabilities = plan.bubblewrap->capabilities.value_or(own_capabilities());
    task.last_capability = last_capability();
    task.follow_links = plan.overlap == Overlap::allowed;
    return task;
}

BubblewrapTask make_task(const Plan& plan, Memory& memory, int report_fd) {
    const BubblewrapTerms& terms = *plan.bubblewrap;
    BubblewrapTask task = {};
    task.build = build_task(plan, memory, report_fd);
    task.end_fd = -1;
    task.has_init = !terms.is_pid_1 && (terms.pid == Share::own || terms.sync_fd >= 0 || !terms.locks.empty());
    task.dies_with_parent = terms.dies_with_parent;
    task.new_session = terms.new_session;
    task.changes_ids = terms.user_namespace >= 0 && (::getuid() != plan.uid || ::getgid() != plan.gid);
    task.bounds = terms.user == Share::own || terms.user_namespace >= 0;
    task.sets_capabilities = terms.capabilities.has_value();
    task.block_fd = terms.block_fd;
    task.sync_fd = terms.sync_fd;
    task.locks = plan.locks.data();
    task.lock_count = plan.locks.size();
    task.filters = terms.filters.data();
    task.filter_count = terms.filters.size();
    task.directories = plan.directories.data();
    task.pwd_texts = memory.pwds.data();
    task.directory_count = plan.directories.size();
    task.pwd_place = place_of_pwd(memory.envp);
    task.shell_argv = memory.shell_argv.data();
    return task;
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

}  // namespace

std::variant<BubblewrapJail, SetupError> launch_bubblewrap(const Plan& plan,
                                                           const BeforeBubblewrapStart& before_start) {
    check_one_thread();
    enter_namespaces(*plan.bubblewrap);
    Memory memory = make_memory(plan);
    Pipe go = open_control(plan);
    Pipe report = open_pipe(plan);
    Pipe end = open_pipe(plan);
    BubblewrapTask task = make_task(plan, memory, report.write.get());
    task.go_fd = go.read.get();
    // Without a PID namespace init ends when its last child has, and says the same.
    const bool init_reports = task.has_init && plan.bubblewrap->pid == Share::own;
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
    FailureRecord record{};
    const long got = sys([&] { return ::read(report.read.get(), &record, sizeof record); }, "read the jail's report");
    if (got == sizeof record) {
        static_cast<void>(os::try_sys([&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), nullptr, WEXITED); }));
        return explain(record, plan);
    }
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
