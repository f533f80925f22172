#include "sandbox/filter/eval.hpp"

#include <cstddef>
#include <cstring>
#include <stdexcept>

#include "sandbox/filter/bpf.hpp"

namespace sandbox {
namespace {

std::uint32_t load(const seccomp_data& data, std::uint32_t offset) {
    if (offset % 4 != 0 || offset > sizeof(data) - 4) throw std::logic_error("a filter loads outside of its data");
    std::uint32_t word = 0;
    std::memcpy(&word, reinterpret_cast<const char*>(&data) + offset, sizeof(word));
    return word;
}

}  // namespace

FilterAnswer evaluate(const FilterProgram& program, const seccomp_data& data) {
    std::uint32_t a = 0;
    for (std::size_t at = 0; at < program.instructions.size(); ++at) {
        const sock_filter op = decode_bpf(program.instructions[at]);
        const auto jump = [&](bool taken) { at += taken ? op.jt : op.jf; };
        switch (op.code) {
            case BPF_LD | BPF_W | BPF_ABS: a = load(data, op.k); break;
            case BPF_ALU | BPF_AND | BPF_K: a &= op.k; break;
            case BPF_JMP | BPF_JA: at += op.k; break;
            case BPF_JMP | BPF_JEQ | BPF_K: jump(a == op.k); break;
            case BPF_JMP | BPF_JGT | BPF_K: jump(a > op.k); break;
            case BPF_JMP | BPF_JGE | BPF_K: jump(a >= op.k); break;
            case BPF_JMP | BPF_JSET | BPF_K: jump((a & op.k) != 0); break;
            case BPF_RET | BPF_K: return {op.k};
            default: throw std::logic_error("a filter has an instruction that seccomp does not know");
        }
    }
    throw std::logic_error("a filter ends without an answer");
}

}  // namespace sandbox
