// By which network link an SSH session comes in: the way back to its peer, as the kernel would route it. ip(7),
// rtnetlink(7).
#pragma once
#include <optional>
#include <string>

namespace runtime::host {

struct SshLink {
    std::string peer;  // an address
    std::string name;  // "eth0"; "lo": a session of the host with itself
    unsigned index = 0;
};

// `connection` as sshd(8) puts it into SSH_CONNECTION: "PEER PORT OWN PORT". Nothing where it is no such text, or where
// there is no such address (any more).
[[nodiscard]] std::optional<SshLink> find_ssh_link(const std::string& connection);

}  // namespace runtime::host
