#include "runtime/host/services/session_marks.hpp"

#include <algorithm>

#include "runtime/host/state/small_files.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {

using sandbox::os::format;
using sandbox::os::HostFiles;

std::optional<std::uint32_t> login_uid(const HostFiles& host) {
    Buffer buffer;
    const auto text = read_small(host.proc(), "self/loginuid", buffer);
    return text ? sandbox::parse_id(*text) : std::nullopt;  // 4294967295: no login
}

std::string find_ssh_connection(const HostFiles& host, const std::set<pid_t>& processes) {
    constexpr std::string_view name = "SSH_CONNECTION=";
    for (const pid_t pid : processes) {
        const std::string variables = read_whole(host.proc(), format("{}/environ", pid)).value_or("");
        for (std::string_view rest = variables; !rest.empty();) {
            const std::string_view one = rest.substr(0, rest.find('\0'));
            rest.remove_prefix(std::min(one.size() + 1, rest.size()));
            if (one.starts_with(name)) return std::string(one.substr(name.size()));
        }
    }
    return {};
}

bool is_link_of_networkd(const HostFiles& host, unsigned index) {
    Buffer buffer;
    const auto text = read_small(host.root(), format("run/systemd/netif/links/{}", index), buffer);
    return text && text->find("ADMIN_STATE=unmanaged") == std::string_view::npos;
}

bool is_link_of_ifup(const HostFiles& host, const std::string& name) {
    return ::faccessat(host.root(), ("run/network/ifstate." + name).c_str(), F_OK, 0) == 0;
}

}  // namespace runtime::host
