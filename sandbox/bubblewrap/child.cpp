// The child's side of a jail in bubblewrap mode, once its file system stands (init/child.cpp, whose rules hold here):
// capabilities, working directory, session, an init where one is needed, exec.
#include "sandbox/bubblewrap/child.hpp"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sandbox/init/child.hpp"
#include "sandbox/init/payload.hpp"
#include "sandbox/init/reporter.hpp"
#include "sandbox/os/wait_status.hpp"
#include "sandbox/raw/capabilities.hpp"

namespace sandbox {
namespace {

class Ending : private Reporter {
  public:
    explicit Ending(const BubblewrapTask& task) noexcept
        : Reporter(task.build.report_fd, 1), task_(task), envp_(task.build.envp.pointers()) {}
    [[noreturn]] void run() noexcept;

  private:
    void tie_to_parent() const noexcept;
    void wait_for_parent() const noexcept;
    void change_ids() const noexcept;
    void set_capabilities(uint64_t capabilities) const noexcept;
    void limit_capabilities() const noexcept;
    void enter_directory() const noexcept;
    void open_locks() const noexcept;
    void take_locks() const noexcept;
    void install_filters() const noexcept;
    void close_what_init_has_no_use_for() const noexcept;
    [[noreturn]] void be_init(long payload) const noexcept;
    [[noreturn]] void execute() const noexcept;
    [[noreturn]] void payload() const noexcept;

    const BubblewrapTask& task_;
    const char** envp_;
};

void Ending::run() noexcept {
    const long umask = call(SYS_umask, 0);
    tie_to_parent();
    wait_for_parent();
    if (task_.changes_ids) change_ids();
    walk_steps(task_.build);

    limit_capabilities();
    tie_to_parent();  // lost where credentials changed
    if (task_.block_fd >= 0) {
        char byte = 0;
        call(SYS_read, task_.block_fd, &byte, 1);
        call(SYS_close, task_.block_fd);
    }
    call(SYS_umask, umask);
    enter_directory();
    if (task_.new_session) need(call(SYS_setsid), Point::session);
    if (!task_.has_init) payload();
    open_locks();
    take_locks();
    const long pid = need(call(SYS_clone, SIGCHLD, 0, 0, 0, 0), Point::start_payload);
    if (pid == 0) {
        if (task_.sync_fd >= 0) call(SYS_close, task_.sync_fd);
        payload();
    }
    be_init(pid);
}

void Ending::tie_to_parent() const noexcept {
    if (!task_.dies_with_parent) return;
    need(call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), Point::parent_death_signal);
}

void Ending::wait_for_parent() const noexcept {
    char byte = 0;
    const long got = call(SYS_read, task_.go_fd, &byte, 1);
    if (got != 1) fail(Point::handshake, 0, got < 0 ? got : -EPIPE);
}

// To ids that the namespace maps, with the capabilities that building the jail takes.
void Ending::change_ids() const noexcept {
    need(call(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0), Point::identity);
    const uint32_t gid = task_.build.gid;
    const uint32_t uid = task_.build.uid;
    need(call(SYS_setresgid, gid, gid, gid), Point::identity);
    need(call(SYS_setresuid, uid, uid, uid), Point::identity);
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    need(call(SYS_capget, &header, data), Point::identity);
    for (__user_cap_data_struct& half : data) half.effective = half.permitted;
    need(call(SYS_capset, &header, data), Point::identity);
}

void Ending::set_capabilities(uint64_t capabilities) const noexcept {
    need(sandbox::set_capabilities(capabilities, capabilities), Point::capabilities);
}

// no_new_privs first: without it, exec would give uid 0 back what is dropped here.
void Ending::limit_capabilities() const noexcept {
    need(call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), Point::no_new_privileges);
    const uint64_t capabilities = task_.build.capabilities;
    for (int number = 0; task_.bounds && number <= task_.build.last_capability; ++number) {
        if ((capabilities >> number & 1U) != 0) continue;
        need(call(SYS_prctl, PR_CAPBSET_DROP, number, 0, 0, 0), Point::bounding_set, static_cast<size_t>(number));
    }
    if (task_.sets_capabilities) set_capabilities(capabilities);
}

void Ending::enter_directory() const noexcept {
    long entered = -ENOENT;
    for (size_t i = 0; i < task_.directories.size(); ++i) {
        entered = call(SYS_chdir, task_.directories[i]);
        if (entered < 0) continue;
        envp_[task_.pwd_place] = task_.pwd_texts[i];
        return;
    }
    fail(Point::working_directory, 0, entered);
}

// Each under the number where init keeps it, and under no other.
void Ending::open_locks() const noexcept {
    for (size_t i = 0; i < task_.locks.size(); ++i) {
        const long file = need(call(SYS_openat, AT_FDCWD, task_.locks[i], O_RDONLY | O_CLOEXEC), Point::lock, i);
        need(call(SYS_dup3, file, first_private_fd + static_cast<int>(i), O_CLOEXEC), Point::lock, i);
        call(SYS_close, file);
    }
}

// A record lock belongs to the process, so what the command closes releases none; but the process itself releases it
// when it closes any descriptor of that file (fcntl(2)). So all are open before the first is taken.
void Ending::take_locks() const noexcept {
    for (size_t i = 0; i < task_.locks.size(); ++i) {
        const int kept = first_private_fd + static_cast<int>(i);
        struct flock lock = {};
        lock.l_type = F_RDLCK;
        lock.l_whence = SEEK_SET;
        need(call(SYS_fcntl, kept, F_SETLK, &lock), Point::lock, i);
    }
}

void Ending::install_filters() const noexcept {
    for (const FilterCode& filter : task_.build.more_filters) need(set_filter(filter, 0), Point::filter);
}

// The standard streams, the descriptor that tells others that the jail lives, the locks, and the ways to the parent
// stay.
void Ending::close_what_init_has_no_use_for() const noexcept {
    unsigned first = 3;
    const auto keep = [&](int fd) {
        if (fd < 0) return;
        const auto kept = static_cast<unsigned>(fd);
        if (kept > first) call(SYS_close_range, first, kept - 1, 0);
        if (kept >= first) first = kept + 1;
    };
    keep(task_.sync_fd);
    for (size_t i = 0; i < task_.locks.size(); ++i) keep(first_private_fd + static_cast<int>(i));
    keep(task_.build.report_fd);
    keep(task_.end_fd);  // opened after it, so its number is higher (launch.cpp)
    call(SYS_close_range, first, ~0U, 0);
}

// Reaps until nobody is left; says how the command ended as soon as it has.
void Ending::be_init(long payload) const noexcept {
    close_what_init_has_no_use_for();
    // The caller may have handed the same file down, and closing that released the lock.
    take_locks();
    install_filters();
    set_capabilities(0);
    call(SYS_close, task_.build.report_fd);  // which tells the parent that all is well
    int code = 1;
    for (;;) {
        int status = 0;
        const long pid = call(SYS_wait4, -1, &status, 0, nullptr);
        if (pid == -EINTR) continue;
        if (pid < 0) break;
        if (pid != payload) continue;
        const auto end = os::WaitStatus::of_wait(status);
        code = end.shell_code();
        if (task_.end_fd < 0) continue;
        call(SYS_write, task_.end_fd, &end, sizeof end);
        call(SYS_close, task_.end_fd);
    }
    for (;;) call(SYS_exit_group, code);
}

void Ending::payload() const noexcept {
    tie_to_parent();
    if (task_.sets_capabilities) {
        for (int number = 0; number <= task_.build.last_capability; ++number) {
            if ((task_.build.capabilities >> number & 1U) == 0) continue;
            call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0);
        }
    }
    install_filters();
    execute();
}

// As execvp(3): the next directory of PATH where there is nothing of that name, a shell for what is no program.
void Ending::execute() const noexcept {
    const ChildTask& build = task_.build;
    const char* const* const argv = build.argv.pointers();
    const char** const shell_argv = task_.shell_argv.pointers();
    long error = -ENOENT;
    size_t where = 0;
    for (size_t i = 0; i < build.executables.size(); ++i) {
        const long answer = call(SYS_execve, build.executables[i], argv, envp_);
        if (answer == -ENOENT || answer == -ENOTDIR) continue;
        error = answer;
        where = i;
        if (answer == -ENOEXEC) {
            shell_argv[1] = build.executables[i];
            call(SYS_execve, shell_argv[0], shell_argv, envp_);
        }
        if (answer != -EACCES) break;
    }
    fail(Point::execute, where, error);
}

}  // namespace

void bubblewrap_main(const BubblewrapTask& task) noexcept {
    Ending(task).run();
}

}  // namespace sandbox
