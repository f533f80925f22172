// What a filter answers, in the words of the tests: raw SECCOMP_RET_* values, numbers and arguments as a list.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "sandbox/filter/eval.hpp"

namespace test {

inline std::uint32_t run_filter(const sandbox::FilterProgram& program, std::uint32_t arch, std::uint32_t number,
                                std::initializer_list<std::uint64_t> args = {}) {
    seccomp_data data{};
    data.nr = static_cast<int>(number);
    data.arch = arch;
    std::size_t i = 0;
    for (const std::uint64_t arg : args) data.args[i++] = arg;
    return sandbox::evaluate(program, data).value;
}

constexpr std::uint32_t allowed = sandbox::answer_allowed.value;
constexpr std::uint32_t fails_with(int error) {
    return sandbox::answer_error(error).value;
}

}  // namespace test
