// What files say of the session that builds, and of who has set up the link that it came by. Asks no bus.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "sandbox/os/host_files.hpp"

namespace runtime::host {

// Whose login has started this process, /proc/self/loginuid; nothing where none has, or the kernel does not say.
[[nodiscard]] std::optional<std::uint32_t> login_uid(const sandbox::os::HostFiles& host);

// The variable SSH_CONNECTION of one of these processes: sudo(8) takes it away, but an ancestor of this user's, or any
// for root, has it still. Empty: none.
[[nodiscard]] std::string find_ssh_connection(const sandbox::os::HostFiles& host, const std::set<pid_t>& processes);

// systemd-networkd says so, and does not only look at the link.
[[nodiscard]] bool is_link_of_networkd(const sandbox::os::HostFiles& host, unsigned index);
// ifup(8) says so.
[[nodiscard]] bool is_link_of_ifup(const sandbox::os::HostFiles& host, const std::string& name);

}  // namespace runtime::host
