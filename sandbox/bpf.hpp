// One instruction of classic BPF, to and from the eight bytes of a FilterProgram.
#pragma once
#include <linux/filter.h>

#include <cstdint>
#include <cstring>

namespace sandbox {

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
