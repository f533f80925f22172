// One instruction of classic BPF, to and from the eight bytes of a FilterProgram; and this machine's number among the
// architectures that a filter is asked about.
#pragma once
#include <linux/audit.h>
#include <linux/filter.h>

#include <cstdint>
#include <cstring>

namespace sandbox {

#if defined(__x86_64__)
inline constexpr std::uint32_t native_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
inline constexpr std::uint32_t native_architecture = AUDIT_ARCH_AARCH64;
#else
#error "which AUDIT_ARCH_* is this machine's?"
#endif

static_assert(sizeof(sock_filter) == sizeof(std::uint64_t));

inline sock_filter decode_bpf(std::uint64_t instruction) noexcept {
    sock_filter decoded{};
    std::memcpy(&decoded, &instruction, sizeof(decoded));
    return decoded;
}

inline std::uint64_t encode_bpf(const sock_filter& instruction) noexcept {
    std::uint64_t encoded = 0;
    std::memcpy(&encoded, &instruction, sizeof(encoded));
    return encoded;
}

}  // namespace sandbox
