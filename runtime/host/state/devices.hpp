// Loop devices by the file behind them, and devices of the device mapper by what they stand on.
#pragma once
#include "runtime/host/state/item.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

struct LoopDevice {
    std::string name;     // loop0
    std::string backing;  // the file behind it, as the kernel last knew its path
    bool deleted = false;
    bool operator==(const LoopDevice&) const = default;
};

// Those that have a file, by name. No /sys: none.
[[nodiscard]] std::vector<LoopDevice> read_loops(const sandbox::os::HostFiles& host);

// /dev/loop0 -> its file; /dev/dm-0 -> its name. A dm device has the files of the loop devices that it stands on.
[[nodiscard]] Table observe_loops(const sandbox::os::HostFiles& host);
[[nodiscard]] Table observe_mapper(const sandbox::os::HostFiles& host);

}  // namespace runtime::host
