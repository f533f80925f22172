// capset(2) for this thread, without a C library.
#pragma once
#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "sandbox/raw/syscall.hpp"

namespace sandbox {

// Makes `capabilities` the effective and the permitted ones, and `inheritable` the inheritable ones. 0, or -errno.
inline long set_capabilities(uint64_t capabilities, uint64_t inheritable = 0) noexcept {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const auto half = [&](unsigned shift) -> __user_cap_data_struct {
        const auto set = static_cast<uint32_t>(capabilities >> shift);
        return {set, set, static_cast<uint32_t>(inheritable >> shift)};
    };
    const __user_cap_data_struct data[2] = {half(0), half(32)};
    return call(SYS_capset, &header, data);
}

}  // namespace sandbox
