#include "tests/support/refuse.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

namespace tests::support {

namespace {

sock_filter statement(int code, std::uint32_t value) {
    return BPF_STMT(static_cast<std::uint16_t>(code), value);
}

sock_filter jump(int code, std::uint32_t value, int if_true, int if_false) {
    return BPF_JUMP(static_cast<std::uint16_t>(code), value, static_cast<std::uint8_t>(if_true),
                    static_cast<std::uint8_t>(if_false));
}

std::vector<sock_filter> program_of(const std::vector<Refusal>& refusals) {
    constexpr int load = BPF_LD | BPF_W | BPF_ABS;
    std::vector<sock_filter> program = {
        statement(load, offsetof(seccomp_data, arch)),
        jump(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    for (const Refusal& refusal : refusals) {
        program.push_back(statement(load, offsetof(seccomp_data, nr)));
        const bool any = refusal.flags == 0;
        program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(refusal.call), 0, any ? 1 : 3));
        if (!any) {
            program.push_back(
                statement(load, offsetof(seccomp_data, args)));  // the low half, on a little-endian machine
            program.push_back(jump(BPF_JMP | BPF_JSET | BPF_K, refusal.flags, 0, 1));
        }
        program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(refusal.error)));
    }
    program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    return program;
}

}  // namespace

std::function<void()> refusing(const std::vector<Refusal>& refusals) {
    return [program = program_of(refusals)]() mutable {
        const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
        if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0) return;
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) ::_exit(126);
    };
}

std::vector<std::string> ids_below_filter() {
    return ::geteuid() == 0 ? std::vector<std::string>{"single", "range"} : std::vector<std::string>{"single"};
}

}  // namespace tests::support
