// Classic BPF as seccomp(2) runs it, in twenty lines: what a filter answers to a call, without a process to
// make it.
#pragma once
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <stdexcept>

#include "sandbox/spec.hpp"

namespace test {

// SECCOMP_RET_*, with the errno in its low bits. Throws for a program that the kernel would refuse.
inline std::uint32_t run_filter(const sandbox::FilterProgram& program, const seccomp_data& data) {
    std::uint32_t a = 0;
    for (std::size_t at = 0; at < program.instructions.size(); ++at) {
        sock_filter op{};
        std::memcpy(&op, &program.instructions[at], sizeof(op));
        const auto jump = [&](bool taken) { at += taken ? op.jt : op.jf; };
        switch (op.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                if (op.k % 4 != 0 || op.k + 4 > sizeof(data)) throw std::logic_error("a load outside the data");
                std::memcpy(&a, reinterpret_cast<const char*>(&data) + op.k, 4);
                break;
            case BPF_ALU | BPF_AND | BPF_K: a &= op.k; break;
            case BPF_JMP | BPF_JA: at += op.k; break;
            case BPF_JMP | BPF_JEQ | BPF_K: jump(a == op.k); break;
            case BPF_JMP | BPF_JGT | BPF_K: jump(a > op.k); break;
            case BPF_JMP | BPF_JGE | BPF_K: jump(a >= op.k); break;
            case BPF_JMP | BPF_JSET | BPF_K: jump((a & op.k) != 0); break;
            case BPF_RET | BPF_K: return op.k;
            default: throw std::logic_error("an unknown instruction");
        }
    }
    throw std::logic_error("a program without an answer");
}

inline std::uint32_t run_filter(const sandbox::FilterProgram& program, std::uint32_t arch, std::uint32_t number,
                                std::initializer_list<std::uint64_t> args = {}) {
    seccomp_data data{};
    data.nr = static_cast<int>(number);
    data.arch = arch;
    std::size_t i = 0;
    for (const std::uint64_t arg : args) data.args[i++] = arg;
    return run_filter(program, data);
}

constexpr std::uint32_t allowed = SECCOMP_RET_ALLOW;
constexpr std::uint32_t fails_with(int error) {
    return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

}  // namespace test
