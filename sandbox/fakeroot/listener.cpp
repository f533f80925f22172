#include "sandbox/fakeroot/listener.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox {
namespace {

using os::Fd;
using os::format;
using os::sys;
using os::try_sys;

constexpr std::uint64_t page = 4096;

std::size_t words_for(std::size_t bytes) {
    return (bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
}

// The answer wakes the one who asked on the same processor at once. Since Linux 6.6; slower without.
void wake_at_once(int listener) {
    constexpr unsigned long set_flags = SECCOMP_IOW(4, __u64);
    constexpr unsigned long sync_wake_up = 1;
    static_cast<void>(::ioctl(listener, set_flags, sync_wake_up));
}

std::string link_target(pid_t thread, const char* name) {
    char target[PATH_MAX];
    const std::string path = format("/proc/{}/{}", thread, name);
    const long length = try_sys([&] { return ::readlink(path.c_str(), target, sizeof target); });
    return length < 0 ? std::string() : std::string(target, static_cast<std::size_t>(length));
}

// The beginning of a small file of /proc; what a payload wrote into it is bounded by the kernel.
std::string proc_text(pid_t thread, const char* name) {
    const std::string path = format("/proc/{}/{}", thread, name);
    const Fd file(static_cast<int>(try_sys([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); })));
    char text[PATH_MAX];
    const long length = !file ? -1 : try_sys([&] { return ::read(file.get(), text, sizeof text); });
    return length <= 0 ? std::string() : std::string(text, static_cast<std::size_t>(length));
}

std::string comm_of(pid_t thread) {
    std::string name = proc_text(thread, "comm");
    if (name.ends_with('\n')) name.pop_back();
    return name;
}

// "NStgid:\t4711\t12": the process's id in each PID namespace, from ours to its own.
pid_t pid_in_jail(pid_t thread) {
    const std::string status = proc_text(thread, "status");
    const std::size_t start = status.find("\nNStgid:");
    if (start == std::string::npos) return 0;
    const std::size_t end = std::min(status.find('\n', start + 1), status.size());
    const std::size_t last = status.rfind('\t', end);
    pid_t pid = 0;
    if (last == std::string::npos || last < start) return 0;
    std::from_chars(status.data() + last + 1, status.data() + end, pid);
    return pid;
}

}  // namespace

Listener::Listener(Fd listener, Fd passed_on) : fd_(std::move(listener)), passed_on_(std::move(passed_on)) {
    seccomp_notif_sizes sizes = {};
    sys([&] { return ::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes); }, "measure seccomp's notices");
    request_.resize(words_for(std::max<std::size_t>(sizes.seccomp_notif, sizeof(seccomp_notif))));
    response_.resize(words_for(std::max<std::size_t>(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp))));
    wake_at_once(fd_.get());
}

// Receiving blocks where nothing waits, so it is asked for only where poll(2) has seen something. What was seen can be
// gone by then, because its process was killed: the kernel says so (ENOENT) and does not block.
std::optional<Notice> Listener::next() {
    if (passed_on_) return next_passed_on();
    for (;;) {
        pollfd state = {fd_.get(), POLLIN, 0};
        sys([&] { return ::poll(&state, 1, 0); }, "look at a jail's listener");
        is_over_ = (state.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
        if ((state.revents & POLLIN) == 0) return std::nullopt;
        std::ranges::fill(request_, 0);
        const long got = try_sys([&] { return ::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_RECV, request_.data()); });
        if (got == -ENOENT) continue;
        if (got < 0) throw os::SysError(static_cast<int>(-got), "receive a jail's notice");
        seccomp_notif received = {};
        std::memcpy(&received, request_.data(), sizeof received);
        return Notice{received.id, static_cast<pid_t>(received.pid), received.data};
    }
}

// Its other end is a process of our own; end of file means that it is gone.
std::optional<Notice> Listener::next_passed_on() {
    Notice notice;
    const long got = try_sys([&] { return ::recv(passed_on_.get(), &notice, sizeof notice, MSG_DONTWAIT); });
    if (got == sizeof notice) return notice;
    is_over_ = got != -EAGAIN;
    return std::nullopt;
}

bool Listener::still_valid(const Notice& notice) const {
    return ::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &notice.id) == 0;
}

bool Listener::respond(const Notice& notice, std::int64_t value, int error, std::uint32_t flags) const {
    seccomp_notif_resp response = {};
    response.id = notice.id;
    response.val = value;
    response.error = -error;
    response.flags = flags;
    std::ranges::fill(response_, 0);
    std::memcpy(response_.data(), &response, sizeof response);
    const long sent = try_sys([&] { return ::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_SEND, response_.data()); });
    if (sent == -ENOENT || sent == -EINPROGRESS) return false;
    if (sent < 0) throw os::SysError(static_cast<int>(-sent), "answer a jail's notice");
    return true;
}

bool Listener::answer_error(const Notice& notice, int error) const {
    return respond(notice, 0, error, 0);
}

bool Listener::answer_value(const Notice& notice, std::int64_t value) const {
    return respond(notice, value, 0, 0);
}

bool Listener::answer_descriptor(const Notice& notice, int fd, int flags) const {
    seccomp_notif_addfd request = {};
    request.id = notice.id;
    request.flags = SECCOMP_ADDFD_FLAG_SEND;
    request.srcfd = static_cast<std::uint32_t>(fd);
    request.newfd_flags = static_cast<std::uint32_t>(flags);
    const long added = try_sys([&] { return ::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &request); });
    if (added == -ENOENT) return false;
    return added >= 0 || answer_error(notice, static_cast<int>(-added));
}

bool Listener::go_on(const Notice& notice) const {
    return respond(notice, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

bool Listener::read_memory(const Notice& notice, std::uint64_t address, std::span<std::byte> bytes) const {
    iovec here = {bytes.data(), bytes.size()};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address in another process
    iovec there = {reinterpret_cast<void*>(address), bytes.size()};
    const long got = try_sys([&] { return ::process_vm_readv(notice.thread, &here, 1, &there, 1, 0); });
    return got == static_cast<long>(bytes.size()) && still_valid(notice);
}

bool Listener::write_memory(const Notice& notice, std::uint64_t address, std::span<const std::byte> bytes) const {
    iovec here = {const_cast<std::byte*>(bytes.data()), bytes.size()};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address in another process
    iovec there = {reinterpret_cast<void*>(address), bytes.size()};
    if (!still_valid(notice)) return false;
    const long put = try_sys([&] { return ::process_vm_writev(notice.thread, &here, 1, &there, 1, 0); });
    return put == static_cast<long>(bytes.size());
}

std::optional<std::string> Listener::read_path(const Notice& notice, std::uint64_t address) const {
    std::string text;
    std::byte part[page];
    // To the end of a page at a time: what follows it may not be mapped, and need not be.
    while (text.size() < PATH_MAX) {
        const std::uint64_t left = page - address % page;
        const std::span<std::byte> bytes(part, std::min<std::size_t>(left, PATH_MAX - text.size()));
        if (!read_memory(notice, address, bytes)) return std::nullopt;
        const auto end = std::ranges::find(bytes, std::byte{0});
        text.append(reinterpret_cast<const char*>(part), static_cast<std::size_t>(end - bytes.begin()));
        if (end != bytes.end()) return text;
        address += bytes.size();
    }
    return std::nullopt;
}

std::optional<std::string> Listener::process_name(const Notice& notice) const {
    std::string name = comm_of(notice.thread);
    if (!still_valid(notice)) return std::nullopt;
    return name;
}

std::optional<NoticeProcess> Listener::process(const Notice& notice) const {
    NoticeProcess process = {.pid = pid_in_jail(notice.thread),
                             .name = comm_of(notice.thread),
                             .executable = link_target(notice.thread, "exe"),
                             .working_directory = link_target(notice.thread, "cwd")};
    if (!still_valid(notice)) return std::nullopt;
    return process;
}

}  // namespace sandbox
