// Checked system calls. A call is written once, through sys(), together with what was being done to what; the
// sentence is formatted only when the call has failed.
#pragma once
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "sandbox/os/format.hpp"
#include "sandbox/os/problem.hpp"

namespace sandbox::os {

// A system call that failed: error() is the errno, what() reads "open /etc/subuid: Permission denied".
class SysError : public Error {
  public:
    SysError(int error, const std::string& doing)
        : Error(doing + ": " + message_of(error)), error_(error), doing_(doing) {}
    [[nodiscard]] int error() const noexcept { return error_; }
    [[nodiscard]] const std::string& doing() const noexcept { return doing_; }
    // "Permission denied"
    [[nodiscard]] std::string message() const { return message_of(error_); }

  private:
    static std::string message_of(int error) { return std::generic_category().message(error); }
    int error_;
    std::string doing_;
};

// Calls `call` until it does not answer EINTR; a result of -1 (or nullptr) becomes a SysError.
//   Fd fd(sys([&] { return ::open(path, O_RDONLY | O_CLOEXEC); }, "open {}", path));
template <class Call, class... Args>
auto sys(Call&& call, fmt::format_string<Args...> doing, Args&&... args) {
    for (;;) {
        auto result = call();
        bool failed = false;
        if constexpr (std::is_pointer_v<decltype(result)>) {
            failed = result == nullptr;
        } else {
            failed = result == -1;
        }
        if (!failed) return result;
        if (errno == EINTR) continue;
        const int error = errno;
        throw SysError(error, fmt::format(doing, std::forward<Args>(args)...));
    }
}

// The same, for calls whose failure is an answer: returns the result, or -errno.
template <class Call>
long try_sys(Call&& call) {
    for (;;) {
        const long result = call();
        if (result != -1) return result;
        if (errno != EINTR) return -errno;
    }
}

}  // namespace sandbox::os
