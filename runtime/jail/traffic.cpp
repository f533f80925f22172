#include "runtime/jail/traffic.hpp"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "sandbox/os/sys.hpp"

namespace runtime::jail {
namespace {

constexpr std::uint32_t our_number = 0x73746278;

struct Request {
    nlmsghdr header;
    ifinfomsg which;
};

bool ask(const sandbox::os::Fd& netlink, int interface) {
    Request request = {};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = RTM_GETLINK;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.header.nlmsg_seq = our_number;
    request.which.ifi_index = interface;
    return sandbox::os::try_sys([&] { return ::send(netlink.get(), &request, sizeof request, 0); }) > 0;
}

// The attributes of one RTM_NEWLINK.
std::optional<Traffic> find_statistics(const char* message, std::size_t size) {
    for (std::size_t at = NLMSG_ALIGN(sizeof(ifinfomsg)); at + sizeof(rtattr) <= size;) {
        rtattr attribute{};
        std::memcpy(&attribute, message + at, sizeof attribute);
        if (attribute.rta_len < sizeof attribute || at + attribute.rta_len > size) return std::nullopt;
        if (attribute.rta_type == IFLA_STATS64) {
            rtnl_link_stats64 counted{};
            std::memcpy(&counted, message + at + RTA_LENGTH(0),
                        std::min<std::size_t>(sizeof counted, attribute.rta_len - RTA_LENGTH(0)));
            return Traffic{counted.rx_bytes, counted.tx_bytes};
        }
        at += RTA_ALIGN(attribute.rta_len);
    }
    return std::nullopt;
}

}  // namespace

std::optional<Traffic> read_traffic(const sandbox::os::Fd& netlink, int interface) {
    if (!ask(netlink, interface)) return std::nullopt;
    for (;;) {
        std::array<char, 16384> buffer{};
        const long got = sandbox::os::try_sys([&] { return ::recv(netlink.get(), buffer.data(), buffer.size(), 0); });
        if (got == -ENOBUFS) continue;  // of what it told before, some was lost
        if (got < static_cast<long>(sizeof(nlmsghdr))) return std::nullopt;
        nlmsghdr header{};
        std::memcpy(&header, buffer.data(), sizeof header);
        if (header.nlmsg_seq != our_number) continue;
        if (header.nlmsg_type != RTM_NEWLINK || header.nlmsg_len > static_cast<std::size_t>(got)) return std::nullopt;
        return find_statistics(buffer.data() + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
    }
}

}  // namespace runtime::jail
