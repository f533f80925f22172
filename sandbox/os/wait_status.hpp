// How a process ended, as one value from the message of the jail's init to the summary. Plain data, and C headers only:
// what has no library writes it as it is.
#pragma once
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>

namespace sandbox::os {

struct WaitStatus {
    int32_t code = 0;    // waitid(2)'s si_code: CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: nobody saw the end
    int32_t status = 0;  // its si_status: the exit code, or the number of the signal

    // What wait4(2) answers.
    static constexpr WaitStatus of_wait(int raw) {
        return WIFEXITED(raw) ? WaitStatus{CLD_EXITED, WEXITSTATUS(raw)} : WaitStatus{CLD_KILLED, WTERMSIG(raw)};
    }
    static constexpr WaitStatus exited(int exit_code) { return {CLD_EXITED, exit_code}; }
    static constexpr WaitStatus signaled(int number) { return {CLD_KILLED, number}; }

    [[nodiscard]] constexpr bool is_seen() const { return code != 0; }
    [[nodiscard]] constexpr bool has_exited() const { return code == CLD_EXITED; }
    [[nodiscard]] constexpr bool has_exited(int exit_code) const { return has_exited() && status == exit_code; }
    // What a process told may be anything: whether it can be true.
    [[nodiscard]] constexpr bool is_possible() const {
        return (code == CLD_EXITED || code == CLD_KILLED || code == CLD_DUMPED) && status >= 0 && status <= 255;
    }
    // The number of the signal that ended the process; 0: none did, or nobody saw it.
    [[nodiscard]] constexpr int signal() const { return is_seen() && !has_exited() ? status : 0; }
    // As a shell has it: the exit code, or 128 and the signal. A process whose end nobody saw was killed.
    [[nodiscard]] constexpr int shell_code() const {
        if (!is_seen()) return 128 + SIGKILL;
        return has_exited() ? status : 128 + status;
    }
};
static_assert(sizeof(WaitStatus) == 8);

}  // namespace sandbox::os
