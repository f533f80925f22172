#include "tests/support/inject.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

extern char** environ;

namespace tests::support {

using sandbox::os::Fd;
using sandbox::os::sys;

namespace {

// A call to waitpid(2) that lasts too long ends with EINTR: the handler does nothing, and SA_RESTART is not set.
class Deadline {
  public:
    explicit Deadline(std::chrono::seconds limit) {
        struct sigaction action {};
        action.sa_handler = [](int) {};
        ::sigaction(SIGALRM, &action, &before_);
        set(limit);
    }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    ~Deadline() {
        const itimerval none{};
        ::setitimer(ITIMER_REAL, &none, nullptr);
        ::sigaction(SIGALRM, &before_, nullptr);
    }
    // Repeats, in case it comes between two waits.
    static void set(std::chrono::seconds limit) {
        const itimerval timer{{0, 100000}, {static_cast<time_t>(limit.count()), 0}};
        ::setitimer(ITIMER_REAL, &timer, nullptr);
    }

  private:
    struct sigaction before_ {};
};

struct Pipe {
    Pipe() {
        int ends[2];
        sys([&] { return ::pipe2(ends, O_CLOEXEC); }, "make a pipe");
        reader = Fd(ends[0]);
        writer = Fd(ends[1]);
    }
    Fd reader;
    Fd writer;
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

class Tracer {
  public:
    Tracer(const Start& start, const std::optional<Fault>& fault) : fault_(fault) { spawn(start); }
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;
    ~Tracer() {
        for (const auto& [pid, process] : processes_) ::kill(pid, SIGKILL);
        while (::waitpid(-1, nullptr, __WALL) > 0) {
        }
    }

    Traced run(std::chrono::seconds limit) {
        const Deadline deadline(limit);
        traced_.is_all_gone = true;
        for (;;) {
            int status = 0;
            const pid_t pid = ::waitpid(-1, &status, __WALL);
            if (pid < 0 && errno == ECHILD) break;
            if (pid < 0) {  // the deadline
                traced_.is_all_gone = false;
                if (!has_ended_) throw std::runtime_error("a traced program does not end; it said: " + said());
                break;
            }
            handle(pid, status);
        }
        traced_.result.out = text_of(out_.reader);
        traced_.result.err = text_of(err_.reader);
        return traced_;
    }

  private:
    struct TracedProcess {
        int index = 0;
        std::map<long, int> counts;
        bool is_new = true;  // its first stop is the tracing's own
        bool is_childs_child = false;
        bool is_faulted = false;  // the call it is in gets its answer from us
        bool is_instrumented = is_sanitized;
        bool probes_memory = false;  // see is_sanitizers()
    };

    void spawn(const Start& start) {
        std::vector<std::string> words = start.argv;
        const std::vector<char*> argv = pointers(words);
        first_ = static_cast<pid_t>(sys([] { return ::fork(); }, "fork"));
        if (first_ == 0) {
            ::setsid();
            ::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
            ::dup2(out_.writer.get(), 1);
            ::dup2(err_.writer.get(), 2);
            // LeakSanitizer is a tracer itself, and a process has but one.
            ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
            ::ptrace(PTRACE_TRACEME, 0, 0, 0);
            ::raise(SIGSTOP);
            ::execve(argv.front(), argv.data(), environ);
            ::_exit(127);
        }
        add(first_);
        out_.writer.reset();
        err_.writer.reset();
        // What is not read does not stop a process that is killed.
        for (const Fd* fd : {&out_.reader, &err_.reader}) ::fcntl(fd->get(), F_SETFL, O_NONBLOCK);
    }

    TracedProcess& add(pid_t pid) {
        const auto [at, is_new] = processes_.try_emplace(pid);
        if (is_new) at->second.index = next_index_++;
        return at->second;
    }

    static std::string text_of(const Fd& from) {
        std::string text;
        char buffer[4096];
        for (;;) {
            const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
            if (got <= 0) return text;
            text.append(buffer, static_cast<std::size_t>(got));
        }
    }
    std::string said() const { return text_of(out_.reader) + text_of(err_.reader); }

    void handle(pid_t pid, int status) {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            processes_.erase(pid);
            if (pid != first_) return;
            traced_.result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
            has_ended_ = true;
            Deadline::set(std::chrono::seconds(1));
            return;
        }
        TracedProcess& process = add(pid);
        if (process.is_new) {
            process.is_new = false;
            constexpr long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                     PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
            if (pid == first_) ::ptrace(PTRACE_SETOPTIONS, pid, 0, options);
            go_on(pid, 0);
            return;
        }
        const int event = status >> 16;
        if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
            unsigned long made = 0;
            ::ptrace(PTRACE_GETEVENTMSG, pid, 0, &made);
            add(static_cast<pid_t>(made)).is_childs_child = pid != first_;
        }
        if (event == PTRACE_EVENT_EXEC && pid != first_) process.is_instrumented = false;
        if (event == PTRACE_EVENT_EXEC && process.is_childs_child) {
            // Its last call. What others made since then was seen first, and is no less after the exec for that.
            const auto is_its_own = [&](const CallSite& site) { return site.process == process.index; };
            const auto last = std::ranges::find_if(traced_.calls.rbegin(), traced_.calls.rend(), is_its_own);
            traced_.calls_before_exec = static_cast<std::size_t>(traced_.calls.rend() - last);
            release(pid);
            return;
        }
        if (event != 0) {
            go_on(pid, 0);
        } else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            at_call(pid, process);
        } else {
            go_on(pid, WSTOPSIG(status));
        }
    }

    void release(pid_t pid) {
        processes_.erase(pid);
        ::ptrace(PTRACE_DETACH, pid, 0, 0);
    }

    // Whether a program has the set-user-ID bit or capabilities of its own.
    static bool has_own_rights(pid_t pid, unsigned long long address) {
        char path[256] = {};
        const iovec here{path, sizeof path - 1};
        // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of the other process
        const iovec there{reinterpret_cast<void*>(address), sizeof path - 1};
        // A page that ends before 255 bytes do makes the read a short one.
        if (::process_vm_readv(pid, &here, 1, &there, 1, 0) <= 0) return false;
        struct stat status {};
        if (::stat(path, &status) != 0) return false;
        return (status.st_mode & S_ISUID) != 0 || ::getxattr(path, "security.capability", nullptr, 0) > 0;
    }

    static void go_on(pid_t pid, int signal) { ::ptrace(PTRACE_SYSCALL, pid, 0, signal); }

    void at_call(pid_t pid, TracedProcess& process) {
        user_regs_struct registers{};
        if (::ptrace(PTRACE_GETREGS, pid, 0, &registers) != 0) return;  // killed meanwhile
        __ptrace_syscall_info info{};
        ::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
            at_entry(pid, process, registers);
            if (pid != first_ && registers.orig_rax == SYS_execve && has_own_rights(pid, registers.rdi)) {
                release(pid);
                return;
            }
        } else if (process.is_faulted) {
            process.is_faulted = false;
            registers.rax = static_cast<unsigned long long>(-static_cast<long long>(fault_->error));
            ::ptrace(PTRACE_SETREGS, pid, 0, &registers);
        }
        go_on(pid, 0);
    }

    // What an instrumented program calls for its sanitizers: memory, and a pipe by which UBSan learns whether an
    // address may be read. That pipe has no close-on-exec, and the program makes none without.
    static bool is_sanitizers(TracedProcess& process, const user_regs_struct& call) {
        if (!process.is_instrumented) return false;
        switch (call.orig_rax) {
            case SYS_mmap:
            case SYS_munmap:
            case SYS_mprotect:
            case SYS_madvise: return true;
            case SYS_pipe2: return process.probes_memory = call.rsi == 0;
            case SYS_write: return std::exchange(process.probes_memory, false);
            default: return false;
        }
    }

    void at_entry(pid_t pid, TracedProcess& process, user_regs_struct& registers) {
        if (is_sanitizers(process, registers)) return;
        const auto number = static_cast<long>(registers.orig_rax);
        const CallSite site{process.index, number, process.counts[number]++};
        traced_.calls.push_back(site);
        if (number == SYS_openat && (registers.rdx & O_CREAT) != 0) traced_.creating.insert(site);
        if (!fault_ || traced_.is_met || site != fault_->site) return;
        traced_.is_met = true;
        if (fault_->before) fault_->before();
        switch (fault_->kind) {
            case FaultKind::error:
                registers.orig_rax = ~0ULL;
                ::ptrace(PTRACE_SETREGS, pid, 0, &registers);
                process.is_faulted = true;
                break;
            case FaultKind::kill_caller: ::kill(pid, SIGKILL); break;
            case FaultKind::kill_first: ::kill(first_, SIGKILL); break;
        }
    }

    std::optional<Fault> fault_;
    Pipe out_;
    Pipe err_;
    pid_t first_ = -1;
    int next_index_ = 0;
    std::map<pid_t, TracedProcess> processes_;
    Traced traced_;
    bool has_ended_ = false;
};

}  // namespace

Traced run_traced(const Start& start, const std::optional<Fault>& fault, std::chrono::seconds limit) {
    return Tracer(start, fault).run(limit);
}

bool can_trace() {
    try {
        return run_traced({.argv = {"/bin/true"}}).result.code == 0;
    } catch (const std::exception&) {
        return false;
    }
}

}  // namespace tests::support
