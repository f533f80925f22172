// Carries a plan of unmounting out. Ends no process: what is busy is waited for, and then left.
#pragma once
#include <chrono>
#include <functional>

#include "runtime/host/unmount/unmount.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

// lazy: umount2(2)'s MNT_DETACH. The mount is gone from the table at once, and lives on for whoever holds it.
enum class UnmountMode : std::uint8_t { when_free, lazy };

struct UnmountHow {
    UnmountMode mode = UnmountMode::when_free;
    std::chrono::milliseconds longest_wait{10000};  // for something that is busy, after the last that could be done
    std::function<void(const Step&)> done = {};     // told of each step as it is done
    std::function<void(const Step&)> waits = {};    // told once of each that is busy, when the waiting begins
};

// Every step that was planned is done, busy or failed afterwards. The working directory becomes the root, since one in
// the tree would keep it busy.
void carry_out(const sandbox::os::HostFiles& host, UnmountPlan& plan, const UnmountHow& how);

}  // namespace runtime::host
