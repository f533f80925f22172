// System calls that wait for the supervisor's answer (seccomp_unotify(2)): what asks, what it asks for, and the answer.
// Knows nothing of why a call was left to the supervisor, nor of what should be answered.
//
// Whoever asks waits in its call until it is answered, killed, or the listener is closed; the kernel then says ENOSYS.
// It is hostile: it can die at any moment, its number can be given to another process, and what is in its memory can
// change while it is read, since only one of its threads waits. So:
//   - What was read of a process counts only if still_valid() says so afterwards. The functions here that read do ask.
//   - What was read is what was there once. To decide on it, act on the copy: make the call for the payload
//     (answer_value), or refuse it (answer_error). go_on() makes the kernel read the memory again.
#pragma once
#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sandbox/os/fd.hpp"

namespace sandbox {

// One call that waits.
struct Notice {
    std::uint64_t id = 0;
    pid_t thread = 0;  // who asks, as this process sees it (gettid(2)); 0: not in its PID namespace
    seccomp_data call = {};
};

// Who asks. Each part may be empty where it could not be read.
struct NoticeProcess {
    pid_t pid = 0;                  // of the process, as the jail sees it
    std::string name;               // comm, proc_pid_comm(5); chosen by the payload, any bytes but NUL
    std::string executable;         // as the jail sees it
    std::string working_directory;  // as the jail sees it
};

class Listener {
  public:
    // Takes Jail::take_listener(), and Jail::take_passed_on(): where there is one, notices come from there. Throws
    // SysError where the kernel has no notices.
    explicit Listener(os::Fd listener, os::Fd passed_on = {});

    // Readable (poll, epoll) while a call waits, and when no process with this filter is left.
    [[nodiscard]] int fd() const noexcept { return passed_on_ ? passed_on_.get() : fd_.get(); }

    // The next call that waits; nothing where none does. Never blocks. Each must be answered exactly once.
    std::optional<Notice> next();
    // No process with this filter is left, as next() last saw it: nothing will ever be asked again.
    [[nodiscard]] bool is_over() const noexcept { return is_over_; }

    // The one who asks still waits; so its thread id still means it.
    [[nodiscard]] bool still_valid(const Notice& notice) const;

    // Each is false where the one who asked is gone, or has its answer; that is no error.
    //   answer_error: the call fails with this errno. answer_value: it returns `value`, and nothing is done.
    bool answer_error(const Notice& notice, int error) const;
    bool answer_value(const Notice& notice, std::int64_t value) const;
    // The call returns a new descriptor of the one who asks: a copy of `fd`, with these flags (O_CLOEXEC or 0). Where
    // it can have no more, the call fails with EMFILE. Since Linux 5.14.
    bool answer_descriptor(const Notice& notice, int fd, int flags) const;
    // The kernel makes the call as if nobody had been asked, with arguments and memory as they are THEN. Another thread
    // can change what a pointer points to after it was looked at: never let go on because of what was read there. It
    // is right where the call is allowed whatever its arguments say, or where other fences hold it.
    bool go_on(const Notice& notice) const;

    // Copies from the memory of the one who asks. False where it cannot be read whole, or the notice is not valid
    // any more; the bytes then mean nothing.
    [[nodiscard]] bool read_memory(const Notice& notice, std::uint64_t address, std::span<std::byte> bytes) const;
    // Copies into it. False where the notice is not valid any more, or it cannot be written.
    [[nodiscard]] bool write_memory(const Notice& notice, std::uint64_t address,
                                    std::span<const std::byte> bytes) const;
    // The text at `address`, up to its NUL; nothing where there is none within PATH_MAX bytes.
    [[nodiscard]] std::optional<std::string> read_path(const Notice& notice, std::uint64_t address) const;

    // Only the name, which is cheap; nothing where the notice is not valid any more.
    [[nodiscard]] std::optional<std::string> process_name(const Notice& notice) const;
    [[nodiscard]] std::optional<NoticeProcess> process(const Notice& notice) const;

  private:
    bool respond(const Notice& notice, std::int64_t value, int error, std::uint32_t flags) const;

    std::optional<Notice> next_passed_on();

    os::Fd fd_;
    os::Fd passed_on_;
    // As large as the kernel's structures, which may be newer than ours.
    std::vector<std::uint64_t> request_;
    mutable std::vector<std::uint64_t> response_;
    bool is_over_ = false;
};

}  // namespace sandbox
