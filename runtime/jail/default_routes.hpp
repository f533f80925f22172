// Whether there is a way out: the host's default routes by procfs, a jail's by the messages of rtnetlink(7).
#pragma once
#include <string_view>

#include "sandbox/os/host_files.hpp"

namespace runtime::jail {

// Families as bits.
inline constexpr unsigned ipv4 = 1;
inline constexpr unsigned ipv6 = 2;

// Those of which the host has a default route, proc_net(5); one to the loopback device leads nowhere.
[[nodiscard]] unsigned families_with_route(const sandbox::os::HostFiles& host);

// The default routes that messages have told of so far, and their interface.
struct DefaultRoutes {
    unsigned families = 0;
    int interface = 0;
    bool operator==(const DefaultRoutes&) const = default;
};

// Adds what one datagram tells. What is cut short in it is passed over.
void note_routes(std::string_view messages, DefaultRoutes& routes);

}  // namespace runtime::jail
