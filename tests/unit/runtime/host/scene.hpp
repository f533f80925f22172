// A host session as a value, and a run in it: what differences are judged with.
#pragma once
#include "runtime/host/receipt/receipt.hpp"
#include "runtime/host/state/host_state.hpp"

namespace tests {

using namespace runtime::host;
using sandbox::os::parse_mounts;

inline const std::string root_line = "27 1 254:0 / / rw - ext4 /dev/vda rw\n";
inline const std::string home_line = "28 27 254:1 /@home /home rw - btrfs /dev/vdb rw\n";
inline constexpr std::uint32_t range_base = 100000;

// systemd (1) > user manager (50) > shell (60) > supervisor (100); a container monitor (200) beside it.
inline HostState host() {
    HostState state;
    state.mounts = parse_mounts(root_line + home_line);
    state.processes = {{1, 0, 0, 'S', 0, 1, "systemd"},
                       {50, 1, 1000, 'S', 0, 5, "systemd"},
                       {60, 50, 1000, 'S', 0, 6, "bash"},
                       {100, 60, 1000, 'S', 0, 10, "stagebox"},
                       {200, 1, 1000, 'S', 0, 20, "conmon"}};
    return state;
}

inline Ours ours() {
    return {.store = "/home/ann/.cache/stagebox",
            .supervisor = 100,
            .wanted = {},
            .ids = {sandbox::IdMode::range, range_base, range_base, 65536},
            .user = 1000,
            .places = {{"/home/ann/.cache/stagebox/v2/staging/x", "rootfs"}},
            .cgroups = {{"/user.slice/stagebox-1.scope", "squash"}},
            .user_namespaces = {{4026532001, "debs"}}};
}

inline Receipt receipt_of(const HostState& before, const HostState& after) {
    return make_receipt(before, after, compare(before, after, ours()));
}

}  // namespace tests
