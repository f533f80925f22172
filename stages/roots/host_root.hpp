// The host as a root: the state of its packages, for keys, and the few files of /etc that its programs need,
// as data. Knows nothing of mounts or jails.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sandbox/os/problem.hpp"

namespace stages {

// The host cannot serve as a root; what() says why and what to do.
class HostRootError : public sandbox::os::Error {
  public:
    using Error::Error;
};

// Where the state of the host's packages lies; tests have their own.
struct HostState {
    std::string dpkg_status = "/var/lib/dpkg/status";
    std::string alternatives = "/etc/alternatives";
};

// A digest of the installed packages (name, architecture, version and state of each, dpkg(1)) and of the
// links of update-alternatives(1), which choose between them. Some milliseconds.
//
// Not covered, and so no reason for a stage to run again: files below /usr that were changed by hand, all of
// /usr/local, diversions, and the contents of the files below /etc that host_etc_paths() names.
// Throws HostRootError on a host without dpkg, os::SysError for what is there and cannot be read.
std::string host_packages_digest(const HostState& state = {});

enum class Presence : std::uint8_t { required, optional };

struct HostPath {
    std::string_view path;  // absolute; a file, a directory, or a link to one
    Presence presence;
    std::string_view reason;
};

// What a host root shows of /etc, read-only. An allow list: what is not in it is not there. Never in it,
// whoever asks: accounts and secrets (passwd, group, shadow, sudoers, ssh, ssl/private, apt/auth.conf and its
// directory), what says which machine this is (machine-id, hostname), and anything of a user's. The jail
// makes its own passwd, group, hosts and nsswitch.conf.
std::span<const HostPath> host_etc_paths();
// What is added where the stage has the host's network: how the host finds names and addresses.
std::span<const HostPath> host_network_etc_paths();

}  // namespace stages
