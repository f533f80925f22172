#include "runtime/jail/default_routes.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "sandbox/os/files.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::jail {
namespace {

// "Iface Destination Gateway Flags RefCnt Use Metric Mask ...", between tabs: destination and mask are zeros. A
// gateway of zeros is that of any route on the link.
bool is_default_of_ipv4(std::string_view line) {
    constexpr std::string_view zeros = "00000000";
    bool is_default = false;
    for (int field = 0; field <= 7; ++field) {
        const std::size_t tab = line.find('\t');
        const std::string_view word = line.substr(0, tab);
        if ((field == 1 || field == 7) && word != zeros) return false;
        is_default = field == 7;
        if (tab == std::string_view::npos) break;
        line.remove_prefix(tab + 1);
    }
    return is_default;
}

void note_route(std::string_view message, DefaultRoutes& routes) {
    rtmsg route{};
    std::memcpy(&route, message.data(), sizeof route);
    if (route.rtm_dst_len != 0 || route.rtm_type != RTN_UNICAST) return;
    routes.families |= route.rtm_family == AF_INET ? ipv4 : ipv6;
    for (std::size_t at = NLMSG_ALIGN(sizeof route); at + sizeof(rtattr) <= message.size();) {
        rtattr attribute{};
        std::memcpy(&attribute, message.data() + at, sizeof attribute);
        if (attribute.rta_len < sizeof attribute || at + attribute.rta_len > message.size()) return;
        if (attribute.rta_type == RTA_OIF && attribute.rta_len >= RTA_LENGTH(sizeof(int)))
            std::memcpy(&routes.interface, message.data() + at + RTA_LENGTH(0), sizeof(int));
        at += RTA_ALIGN(attribute.rta_len);
    }
}

}  // namespace

unsigned families_with_route(const sandbox::os::HostFiles& host) {
    unsigned families = 0;
    // A kernel may lack a family, and then its file.
    const std::string of_ipv4 = sandbox::os::read_whole(host.proc(), "net/route").value_or("");
    for (const std::string_view line : sandbox::os::lines(of_ipv4)) {
        if (is_default_of_ipv4(line)) families |= ipv4;
    }
    const std::string of_ipv6 = sandbox::os::read_whole(host.proc(), "net/ipv6_route").value_or("");
    for (const std::string_view line : sandbox::os::lines(of_ipv6)) {
        const bool is_default = line.starts_with("00000000000000000000000000000000 00 ");
        if (is_default && !line.ends_with(" lo")) families |= ipv6;
    }
    return families;
}

void note_routes(std::string_view messages, DefaultRoutes& routes) {
    while (messages.size() >= sizeof(nlmsghdr)) {
        nlmsghdr header{};
        std::memcpy(&header, messages.data(), sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > messages.size()) return;
        const bool is_route = header.nlmsg_type == RTM_NEWROUTE && header.nlmsg_len >= NLMSG_HDRLEN + sizeof(rtmsg);
        if (is_route) note_route(messages.substr(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN), routes);
        messages.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), messages.size()));
    }
}

}  // namespace runtime::jail
