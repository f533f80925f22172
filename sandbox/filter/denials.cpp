#include "sandbox/filter/denials.hpp"

#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "sandbox/filter/bpf.hpp"

namespace sandbox {
namespace {

// Filters give their answers as constants: libseccomp writes no other, and one that computed its answer would not be
// reported, which takes nothing from what it denies.
bool returns_constant(const sock_filter& instruction) {
    return instruction.code == (BPF_RET | BPF_K);
}

bool is_denial(const sock_filter& instruction) {
    return returns_constant(instruction) && (instruction.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
           (instruction.k & SECCOMP_RET_DATA) != ENOSYS && (instruction.k & SECCOMP_RET_DATA) != 0;
}

}  // namespace

FilterProgram report_denials(const FilterProgram& program) {
    FilterProgram reporting = program;
    for (std::uint64_t& instruction : reporting.instructions) {
        sock_filter decoded = decode_bpf(instruction);
        if (!is_denial(decoded)) continue;
        decoded.k = SECCOMP_RET_USER_NOTIF;
        instruction = encode_bpf(decoded);
    }
    return reporting;
}

FilterProgram observe_calls(const FilterProgram& program) {
    // What is read of seccomp_data, and by how many instructions the jumps below have to reach the program's first.
    constexpr std::uint32_t arch_at = offsetof(seccomp_data, arch);
    constexpr std::uint32_t number_at = offsetof(seccomp_data, nr);
    const sock_filter head[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, arch_at},    {BPF_JMP | BPF_JEQ | BPF_K, 0, 5, native_architecture},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, number_at},  {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, SYS_execve},
        {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SYS_write}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_exit_group},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    FilterProgram observing;
    for (const sock_filter& instruction : head) observing.instructions.push_back(encode_bpf(instruction));
    for (const std::uint64_t instruction : program.instructions) {
        sock_filter decoded = decode_bpf(instruction);
        if (returns_constant(decoded) && decoded.k == SECCOMP_RET_ALLOW) decoded.k = SECCOMP_RET_USER_NOTIF;
        observing.instructions.push_back(encode_bpf(decoded));
    }
    if (program.instructions.empty()) {
        observing.instructions.push_back(encode_bpf({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF}));
    }
    return observing;
}

bool asks_supervisor(const FilterProgram& program) {
    return std::ranges::any_of(program.instructions, [](std::uint64_t instruction) {
        const sock_filter decoded = decode_bpf(instruction);
        return returns_constant(decoded) && (decoded.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF;
    });
}

seccomp_data native_call(int number) {
    seccomp_data call = {};
    call.nr = number;
    call.arch = native_architecture;
    return call;
}

}  // namespace sandbox
