// The service runner: a payload that starts services, waits until each is ready, runs the command, and ends as that
// ends. It is a program of the jail like any other, with the filter, capabilities, Landlock domain and cgroup of the
// command, and so are the services, which are its children: there is no second way into a jail. Without a library, as
// the jail's init, since it runs in roots that have none; but it is no part of the fence, and a payload that disturbs
// it only harms its own stage.
//
// Its arguments are flat, services.cpp writes them: grace in ms; number of services; of each, the time for it to be
// ready in ms, the check's letter and value, the number of its command's words and those, the number of the service's
// words and those; then the command. Standard input is a socket to the supervisor. Its first message has the logs of
// the services with it.
#include "sandbox/os/default_path.hpp"
#include "sandbox/services/message.hpp"

#include <arpa/inet.h>
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "sandbox/raw/syscall.hpp"

extern "C" {
[[noreturn]] void stagebox_main(char** stack) noexcept;
}

namespace sandbox::services {
namespace {

constexpr int supervisor = 200;  // descriptors that no program of the jail gets
constexpr int null_stream = 201;
constexpr int first_log = 210;
constexpr long first_look = 5;  // ms between looks whether a service is ready; doubled up to
constexpr long last_look = 200;

[[noreturn]] void leave(int code) noexcept {
    for (;;) call(SYS_exit_group, code);
}

size_t length(const char* text) noexcept {
    size_t size = 0;
    while (text[size] != '\0') ++size;
    return size;
}

long number(const char* text) noexcept {
    long value = 0;
    for (; *text != '\0'; ++text) value = value * 10 + (*text - '0');
    return value;
}

long now() noexcept {
    timespec time = {};
    call(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

struct Process {
    long pid = 0;
    bool has_ended = false;
    os::WaitStatus how;
};

struct RunningService {
    long timeout;
    char kind;
    char* value;
    char** check;  // ends with a null pointer, as `run`
    char** run;
    Process child;
    long scanned;  // how far its log was looked through
};

class ServiceRunner {
  public:
    ServiceRunner(char** arguments, char** environment) noexcept : environment_(environment) { read(arguments); }
    [[noreturn]] void run() noexcept;

  private:
    void read(char** next) noexcept;
    void take_streams() noexcept;
    void start_service(unsigned index) noexcept;
    void wait_until_ready(unsigned index) noexcept;
    [[nodiscard]] bool is_ready(unsigned index) noexcept;
    [[nodiscard]] bool has_listener(const char* port) const noexcept;
    [[nodiscard]] bool has_said(unsigned index) noexcept;
    [[nodiscard]] bool check_succeeds(unsigned index) noexcept;
    [[noreturn]] void wait_for_command() noexcept;
    [[noreturn]] void end_with(const Process& command) noexcept;

    long start(char** argv, int output, int errors) noexcept;
    [[noreturn]] void execute(char** argv) const noexcept;
    void wait(long milliseconds) noexcept;
    void reap() noexcept;
    void look_for_ended() noexcept;
    void tell(Event event, uint32_t index, os::WaitStatus how = {}, int error = 0) const noexcept;

    char** environment_;
    long grace_ = 0;
    unsigned count_ = 0;
    RunningService services_[most_services] = {};
    char** command_ = nullptr;
    Process main_;
    Process check_;
    bool is_stopping_ = false;
};

// Each list of words is ended in place: the word behind it has been read by then.
void ServiceRunner::read(char** next) noexcept {
    const auto words = [&next] {
        const long count = number(*next);
        // One place down, over the count, which leaves room for the end.
        for (long i = 0; i < count; ++i) next[i] = next[i + 1];
        next[count] = nullptr;
        char** const list = next;
        next += count + 1;
        return list;
    };
    grace_ = number(*next++);
    count_ = static_cast<unsigned>(number(*next++));
    if (count_ > most_services) leave(125);
    for (unsigned i = 0; i < count_; ++i) {
        services_[i].timeout = number(*next++);
        services_[i].kind = **next++;
        services_[i].value = *next++;
        services_[i].check = words();
        services_[i].run = words();
    }
    command_ = next;
}

void ServiceRunner::run() noexcept {
    const uint64_t all = ~uint64_t{0};
    call(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, sizeof all);
    take_streams();
    for (unsigned i = 0; i < count_; ++i) {
        start_service(i);
        wait_until_ready(i);
        tell(Event::ready, i);
    }
    main_.pid = start(command_, 1, 2);
    if (main_.pid < 0) {
        tell(Event::not_executed, command_index, {}, static_cast<int>(-main_.pid));
        leave(127);
    }
    wait_for_command();
}

void ServiceRunner::take_streams() noexcept {
    call(SYS_dup3, 0, supervisor, O_CLOEXEC);
    const long null = call(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) leave(125);
    call(SYS_dup3, null, null_stream, O_CLOEXEC);
    call(SYS_dup3, null, 0, 0);
    call(SYS_close, null);

    char byte = 0;
    iovec content = {&byte, 1};
    alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int) * most_services)] = {};
    msghdr message = {};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (call(SYS_recvmsg, supervisor, &message, MSG_CMSG_CLOEXEC) != 1) leave(125);
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_len != CMSG_LEN(sizeof(int) * count_)) leave(125);
    const int* const logs = reinterpret_cast<const int*>(CMSG_DATA(header));
    for (unsigned i = 0; i < count_; ++i) {
        call(SYS_dup3, logs[i], first_log + static_cast<int>(i), O_CLOEXEC);
        call(SYS_close, logs[i]);
    }
}

// In a process of its own, with a session of its own. The answer: its pid, or -errno where it could not be executed.
long ServiceRunner::start(char** argv, int output, int errors) noexcept {
    int report[2] = {-1, -1};
    const long piped = call(SYS_pipe2, report, O_CLOEXEC);
    if (piped < 0) return piped;
    const long pid = call(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (pid == 0) {
        call(SYS_setsid);
        call(SYS_dup3, null_stream, 0, 0);
        if (output != 1) call(SYS_dup3, output, 1, 0);
        if (errors != 2) call(SYS_dup3, errors, 2, 0);
        const uint64_t none = 0;
        call(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
        call(SYS_dup3, report[1], null_stream, O_CLOEXEC);  // where execute() says what kept it
        execute(argv);
    }
    call(SYS_close, report[1]);
    int error = 0;
    const long got = pid < 0 ? 0 : call(SYS_read, report[0], &error, sizeof error);
    call(SYS_close, report[0]);
    if (got != sizeof error) return pid;
    call(SYS_wait4, pid, nullptr, 0, nullptr);
    return -error;
}

// As a jail's own command is looked for (plan/plan.cpp).
void ServiceRunner::execute(char** argv) const noexcept {
    const char* path = os::default_path;
    for (char** variable = environment_; *variable != nullptr; ++variable) {
        const char* const text = *variable;
        if (text[0] == 'P' && text[1] == 'A' && text[2] == 'T' && text[3] == 'H' && text[4] == '=') path = text + 5;
    }
    bool has_slash = false;
    for (const char* c = argv[0]; *c != '\0'; ++c) has_slash = has_slash || *c == '/';
    long error = -ENOENT;
    if (has_slash) {
        error = call(SYS_execve, argv[0], argv, environment_);
    } else {
        char name[4096];
        const size_t size = length(argv[0]);
        for (const char* part = path;; ++part) {
            size_t end = 0;
            while (part[end] != ':' && part[end] != '\0') ++end;
            if (end + size + 3 < sizeof name) {
                memcpy(name, part, end);
                if (end == 0) name[end++] = '.';
                name[end] = '/';
                memcpy(name + end + 1, argv[0], size + 1);
                const long answer = call(SYS_execve, name, argv, environment_);
                if (answer != -ENOENT && answer != -ENOTDIR) error = answer;
                if (answer != -ENOENT && answer != -ENOTDIR && answer != -EACCES) break;
            }
            while (*part != ':' && *part != '\0') ++part;
            if (*part == '\0') break;
        }
    }
    const int number = static_cast<int>(-error);
    call(SYS_write, null_stream, &number, sizeof number);
    leave(127);
}

void ServiceRunner::start_service(unsigned index) noexcept {
    RunningService& service = services_[index];
    const int log = first_log + static_cast<int>(index);
    const long end = call(SYS_lseek, log, 0, SEEK_END);  // another attempt may have written before
    service.scanned = end < 0 ? 0 : end;
    check_ = {};
    service.child.pid = start(service.run, log, log);
    if (service.child.pid > 0) return;
    tell(Event::not_executed, index, {}, static_cast<int>(-service.child.pid));
    leave(127);
}

void ServiceRunner::wait_until_ready(unsigned index) noexcept {
    const long deadline = now() + services_[index].timeout;
    for (long pause = first_look; !is_ready(index); pause = pause * 2 < last_look ? pause * 2 : last_look) {
        if (now() >= deadline) {
            tell(Event::not_ready, index, check_.how);
            leave(1);
        }
        wait(pause);
    }
}

bool ServiceRunner::is_ready(unsigned index) noexcept {
    const RunningService& service = services_[index];
    switch (static_cast<Ready>(service.kind)) {
        case Ready::at_once: return true;
        case Ready::tcp: return has_listener(service.value);
        case Ready::unix_socket: {
            const long peer = call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            if (peer < 0) return false;
            sockaddr_un address = {};
            address.sun_family = AF_UNIX;
            memcpy(address.sun_path, service.value, length(service.value));
            const long answer = call(SYS_connect, peer, &address, sizeof address);
            call(SYS_close, peer);
            // Its queue is full, or it is of another type: somebody is there.
            return answer >= 0 || answer == -EAGAIN || answer == -EPROTOTYPE;
        }
        case Ready::log: return has_said(index);
        case Ready::command: return check_succeeds(index);
    }
    return false;
}

bool connects(const void* address, unsigned size, int family) noexcept {
    const long peer = call(SYS_socket, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (peer < 0) return false;
    long answer = call(SYS_connect, peer, address, size);
    if (answer == -EINPROGRESS) {
        pollfd waiting = {static_cast<int>(peer), POLLOUT, 0};
        const timespec limit = {0, 100'000'000};
        call(SYS_ppoll, &waiting, 1, &limit, nullptr, 0);
        int error = ETIMEDOUT;
        socklen_t size_of_error = sizeof error;
        if ((waiting.revents & POLLOUT) != 0) {
            call(SYS_getsockopt, peer, SOL_SOCKET, SO_ERROR, &error, &size_of_error);
        }
        answer = -error;
    }
    call(SYS_close, peer);
    return answer >= 0;
}

// On the loopback device, of either family.
bool ServiceRunner::has_listener(const char* port) const noexcept {
    const auto number_of_port = static_cast<uint16_t>(number(port));
    const auto swapped = static_cast<uint16_t>(number_of_port << 8U | number_of_port >> 8U);
    sockaddr_in four = {};
    four.sin_family = AF_INET;
    four.sin_port = swapped;
    four.sin_addr.s_addr = 0x0100007f;
    sockaddr_in6 six = {};
    six.sin6_family = AF_INET6;
    six.sin6_port = swapped;
    six.sin6_addr.s6_addr[15] = 1;
    return connects(&four, sizeof four, AF_INET) || connects(&six, sizeof six, AF_INET6);
}

// Looks through what the log has got since the last time, and as much before that as a text across both takes.
bool ServiceRunner::has_said(unsigned index) noexcept {
    static char window[65536];
    RunningService& service = services_[index];
    const size_t size = length(service.value);
    for (;;) {
        const long got = call(SYS_pread64, first_log + static_cast<int>(index), window, sizeof window, service.scanned);
        if (got < static_cast<long>(size)) return false;
        for (long at = 0; at + static_cast<long>(size) <= got; ++at) {
            size_t same = 0;
            while (same < size && window[at + static_cast<long>(same)] == service.value[same]) ++same;
            if (same == size) return true;
        }
        service.scanned += got - static_cast<long>(size) + 1;
    }
}

// One at a time; what it says is in the service's log.
bool ServiceRunner::check_succeeds(unsigned index) noexcept {
    if (check_.pid > 0 && !check_.has_ended) return false;
    const bool has_succeeded = check_.has_ended && check_.how.has_exited(0);
    const Process before = check_;
    check_ = {};
    if (has_succeeded) return true;
    const int log = first_log + static_cast<int>(index);
    check_.pid = start(services_[index].check, log, log);
    if (check_.pid < 0) check_ = {0, true, os::WaitStatus::exited(127)};
    // For the message, should there be no time for the new one.
    if (!check_.has_ended) check_.how = before.how;
    return false;
}

void ServiceRunner::wait_for_command() noexcept {
    for (;;) {
        reap();
        if (main_.has_ended) end_with(main_);
        if (!is_stopping_) look_for_ended();
        wait(-1);
    }
}

// The services are asked to end, in the order opposite to the one they were started in, and what has not in time is
// ended with the jail. A jail whose command was killed has nothing to wait for.
void ServiceRunner::end_with(const Process& command) noexcept {
    is_stopping_ = true;
    for (unsigned i = count_; i > 0; --i) {
        const Process& child = services_[i - 1].child;
        if (!child.has_ended) call(SYS_kill, child.pid, SIGTERM);
    }
    const long deadline = now() + grace_;
    for (;;) {
        reap();
        unsigned running = 0;
        for (unsigned i = 0; i < count_; ++i) running += services_[i].child.has_ended ? 0 : 1;
        if (running == 0 || now() >= deadline) break;
        wait(deadline - now());
    }
    tell(Event::ended, command_index, command.how);
    leave(command.how.shell_code());
}

// Until a child has ended, the jail is told to end, or the time is over (-1: never).
void ServiceRunner::wait(long milliseconds) noexcept {
    constexpr uint64_t one = 1;
    const uint64_t wanted = one << (SIGCHLD - 1) | one << (SIGTERM - 1) | one << (SIGINT - 1) | one << (SIGHUP - 1);
    const timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    const long number = call(SYS_rt_sigtimedwait, &wanted, nullptr, milliseconds < 0 ? nullptr : &limit, sizeof wanted);
    if (number == SIGTERM || number == SIGINT || number == SIGHUP) {
        is_stopping_ = true;
        if (main_.pid == 0) leave(128 + static_cast<int>(number));
    }
    reap();
    if (main_.pid == 0 && !is_stopping_) look_for_ended();
}

void ServiceRunner::reap() noexcept {
    for (;;) {
        siginfo_t info = {};
        if (call(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG, nullptr) < 0 || info.si_pid == 0) return;
        const auto take = [&info](Process& child) {
            if (info.si_pid != child.pid) return;
            child.has_ended = true;
            child.how = {info.si_code, info.si_status};
        };
        take(main_);
        take(check_);
        for (unsigned i = 0; i < count_; ++i) take(services_[i].child);
    }
}

void ServiceRunner::look_for_ended() noexcept {
    for (unsigned i = 0; i < count_; ++i) {
        const Process& child = services_[i].child;
        if (child.pid == 0 || !child.has_ended) continue;
        tell(Event::ended, i, child.how);
        leave(1);
    }
}

void ServiceRunner::tell(Event event, uint32_t index, os::WaitStatus how, int error) const noexcept {
    const Message message = {event, index, how, error};
    call(SYS_sendto, supervisor, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
}

}  // namespace
}  // namespace sandbox::services

void stagebox_main(char** stack) noexcept {
    const auto argc = *reinterpret_cast<long*>(stack);
    char** const argv = stack + 1;
    static sandbox::services::ServiceRunner runner(argv + 1, argv + argc + 1);
    runner.run();
}
