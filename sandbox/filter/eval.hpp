// What a compiled filter answers to a system call, without a process that makes it: the kernel's interpreter of
// classic BPF for seccomp(2), and the words of its answers. Knows nothing of rules, names or libseccomp.
#pragma once
#include <linux/seccomp.h>

#include <cstdint>
#include <optional>

#include "sandbox/spec/spec.hpp"

namespace sandbox {

// SECCOMP_RET_*: an action in the upper half, its data (an errno, for one) in the lower.
struct FilterAnswer {
    std::uint32_t value = SECCOMP_RET_KILL_PROCESS;

    [[nodiscard]] constexpr std::uint32_t action() const noexcept { return value & SECCOMP_RET_ACTION_FULL; }
    [[nodiscard]] constexpr std::uint32_t data() const noexcept { return value & SECCOMP_RET_DATA; }
    // The call is made: allowed, or allowed and logged.
    [[nodiscard]] constexpr bool permits() const noexcept {
        return action() == SECCOMP_RET_ALLOW || action() == SECCOMP_RET_LOG;
    }
    // The errno that the caller sees, where the answer is one.
    [[nodiscard]] constexpr std::optional<int> error() const noexcept {
        if (action() != SECCOMP_RET_ERRNO) return std::nullopt;
        return static_cast<int>(data());
    }
    constexpr bool operator==(const FilterAnswer&) const = default;
};

constexpr FilterAnswer answer_allowed{SECCOMP_RET_ALLOW};
// `error`: 0 to 4095 (the kernel's MAX_ERRNO).
constexpr FilterAnswer answer_error(int error) noexcept {
    return {SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)};
}

// Runs the program as the kernel does. Throws std::logic_error for a program that the kernel would refuse: an unknown
// instruction, a load outside of seccomp_data, a jump or a fall over the end.
FilterAnswer evaluate(const FilterProgram& program, const seccomp_data& data);

}  // namespace sandbox
