#include "runtime/host/services/ssh_link.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <sstream>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::host {
namespace {

std::string text_of(const sockaddr* address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address == nullptr) return {};
    if (address->sa_family == AF_INET) {
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
    } else if (address->sa_family == AF_INET6) {
        ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
    }
    return text;
}

// Connecting a datagram socket sends nothing, and lets the kernel choose a way and our address on it, udp(7).
std::string own_address_towards(const std::string& peer) {
    sockaddr_storage there{};
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&there);
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&there);
    const std::size_t percent = peer.find('%');  // "fe80::1%eth0"
    socklen_t size = sizeof(sockaddr_in6);
    if (::inet_pton(AF_INET, peer.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(9);
        size = sizeof(sockaddr_in);
    } else if (::inet_pton(AF_INET6, peer.substr(0, percent).c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(9);
        if (percent != std::string::npos) v6->sin6_scope_id = ::if_nametoindex(peer.c_str() + percent + 1);
    } else {
        return {};
    }
    const sandbox::os::Fd socket(static_cast<int>(
        sandbox::os::try_sys([&] { return ::socket(there.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0); })));
    if (socket.get() < 0) return {};
    if (sandbox::os::try_sys([&] { return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&there), size); }) < 0)
        return {};
    sockaddr_storage here{};
    socklen_t length = sizeof here;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&here), &length) != 0) return {};
    return text_of(reinterpret_cast<const sockaddr*>(&here));
}

}  // namespace

std::optional<SshLink> find_ssh_link(const std::string& connection) {
    SshLink link;
    std::istringstream(connection) >> link.peer;
    const std::string own = own_address_towards(link.peer);
    ifaddrs* list = nullptr;
    if (own.empty() || ::getifaddrs(&list) != 0) return std::nullopt;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(list, &::freeifaddrs);
    for (const ifaddrs* one = all.get(); one != nullptr; one = one->ifa_next) {
        if (text_of(one->ifa_addr) != own) continue;
        link.name = one->ifa_name;
        link.index = ::if_nametoindex(one->ifa_name);
        return link;
    }
    return std::nullopt;
}

}  // namespace runtime::host
