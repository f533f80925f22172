// The mounts that every stage's jail has, as lists to build a spec from: the host as a root, and the kernel's own file
// systems. Looks at the host (which links it has); changes nothing.
#pragma once
#include <vector>

#include "sandbox/spec/spec.hpp"

namespace stages::kinds {

// A root that is the host's /usr, read-only, and the few files of /etc that its programs need (roots/host_root.hpp);
// the rest is empty and in memory. Never the user's home, secrets, sockets or devices.
void add_host_root(sandbox::Network network, std::vector<sandbox::Mount>& mounts);

// /proc, /sys (where the network is the jail's own), /dev, and empty /run and /tmp.
void add_system_mounts(sandbox::Network network, std::vector<sandbox::Mount>& mounts);

// With the host's network: the files by which the host finds names and addresses. With `user`: where names are asked
// for.
void add_network_files(sandbox::Network network, std::vector<sandbox::Mount>& mounts);

}  // namespace stages::kinds
