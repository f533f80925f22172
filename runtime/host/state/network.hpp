// The host's network: links, addresses, routes, and the tables of nftables where they may be read.
#pragma once
#include "runtime/host/state/item.hpp"
#include "runtime/host/state/netlink.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

struct Network {
    Table links;      // by name; a tun device has its owner, ip-tuntap(8)
    Table addresses;  // "ADDRESS/PREFIX dev LINK"; each has the facts of its link
    Table routes;     // of all tables but the local one, which follows the addresses
};
[[nodiscard]] Network observe_network(const sandbox::os::HostFiles& host, const Ask& ask = ask_kernel);

// Each table, and the number of the generation, which every change of any rule makes another. Only root may read it.
[[nodiscard]] Table observe_nftables(const sandbox::os::HostFiles& host, const Ask& ask = ask_kernel);

}  // namespace runtime::host
