// What went through the network interface of a jail, by rtnetlink(7).
#pragma once
#include <cstdint>
#include <optional>

#include "sandbox/os/fd.hpp"

namespace runtime::jail {

// As the jail sees it, in bytes.
struct Traffic {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
};

// `netlink`: a socket in the jail's network namespace that does not block; what else it has to tell is dropped. Nothing
// where the interface is not there any more.
std::optional<Traffic> read_traffic(const sandbox::os::Fd& netlink, int interface);

}  // namespace runtime::jail
