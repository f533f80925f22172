#include "runtime/host/state/network.hpp"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cstring>

#include "runtime/host/state/netlink.hpp"
#include "runtime/host/state/small_files.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::HostFiles;

template <class Header>
Bytes bytes_of(const Header& header) {
    return {reinterpret_cast<const unsigned char*>(&header), sizeof header};
}

template <class Header>
Header header_of(Bytes body) {
    Header header{};
    if (!body.empty()) std::memcpy(&header, body.data(), std::min(sizeof header, body.size()));
    return header;
}

std::string address_text(int family, Bytes value) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const std::size_t size = family == AF_INET ? 4 : 16;
    if (value.size() < size || ::inet_ntop(family, value.data(), text.data(), text.size()) == nullptr) return "?";
    return text.data();
}

// The user that a tun device belongs to; the kernel says -1 where it is nobody's, and nothing of other links.
std::optional<std::uint32_t> tun_owner(const HostFiles& host, const std::string& name) {
    Buffer buffer{};
    const auto text = read_small(host.sys(), "class/net/" + name + "/owner", buffer);
    return text ? sandbox::parse_id(*text) : std::nullopt;
}

using Names = std::map<std::uint32_t, std::string>;

std::string name_of_link(const Names& names, std::uint32_t index) {
    const auto found = names.find(index);
    return found == names.end() ? format("#{}", index) : found->second;
}

// Whether it is up is a setting; whether its cable is plugged in is not.
Names read_links(const HostFiles& host, const Ask& ask, Table& links) {
    Names names;
    const ifinfomsg all{};
    const int error = ask({NETLINK_ROUTE, RTM_GETLINK, NLM_F_DUMP, bytes_of(all)}, [&](const nlmsghdr&, Bytes body) {
        const auto head = header_of<ifinfomsg>(body);
        const Attributes attributes = attributes_of(body, sizeof head);
        if (!attributes.contains(IFLA_IFNAME)) return;
        const std::string name = text_of(attributes.at(IFLA_IFNAME));
        std::string kind;
        if (attributes.contains(IFLA_LINKINFO)) {
            const Attributes info = attributes_of(attributes.at(IFLA_LINKINFO), 0);
            if (info.contains(IFLA_INFO_KIND)) kind = text_of(info.at(IFLA_INFO_KIND)) + " ";
        }
        names[static_cast<std::uint32_t>(head.ifi_index)] = name;
        links.items[name] = {format("{}number {}, {}, mtu {}", kind, head.ifi_index,
                                    (head.ifi_flags & IFF_UP) != 0 ? "up" : "down", number_of(attributes, IFLA_MTU)),
                             {.uid = tun_owner(host, name)}};
    });
    if (error != 0) links.unreadable = std::strerror(error);
    return names;
}

void read_addresses(const Ask& ask, const Names& names, const Table& links, Table& addresses) {
    const ifaddrmsg all{};
    const int error = ask({NETLINK_ROUTE, RTM_GETADDR, NLM_F_DUMP, bytes_of(all)}, [&](const nlmsghdr&, Bytes body) {
        const auto head = header_of<ifaddrmsg>(body);
        const Attributes attributes = attributes_of(body, sizeof head);
        const auto value = attributes.contains(IFA_LOCAL) ? attributes.find(IFA_LOCAL) : attributes.find(IFA_ADDRESS);
        if (value == attributes.end()) return;
        const std::string link = name_of_link(names, head.ifa_index);
        const auto found = links.items.find(link);
        addresses
            .items[format("{}/{} dev {}", address_text(head.ifa_family, value->second), head.ifa_prefixlen, link)] = {
            {}, found == links.items.end() ? Facts{} : found->second.facts};
    });
    if (error != 0) addresses.unreadable = std::strerror(error);
}

void read_routes(const Ask& ask, const Names& names, const Table& links, Table& routes) {
    const rtmsg all{};
    const int error = ask({NETLINK_ROUTE, RTM_GETROUTE, NLM_F_DUMP, bytes_of(all)}, [&](const nlmsghdr&, Bytes body) {
        const auto head = header_of<rtmsg>(body);
        const Attributes attributes = attributes_of(body, sizeof head);
        const std::uint32_t table = number_of(attributes, RTA_TABLE);
        if (table == RT_TABLE_LOCAL || (head.rtm_flags & RTM_F_CLONED) != 0) return;
        const auto address = [&](unsigned type) { return address_text(head.rtm_family, attributes.at(type)); };
        std::string text = attributes.contains(RTA_DST) ? format("{}/{}", address(RTA_DST), head.rtm_dst_len)
                           : head.rtm_family == AF_INET ? "default"
                                                        : "default (IPv6)";
        if (attributes.contains(RTA_GATEWAY)) text += " via " + address(RTA_GATEWAY);
        Facts facts;
        if (attributes.contains(RTA_OIF)) {
            const std::string link = name_of_link(names, number_of(attributes, RTA_OIF));
            text += " dev " + link;
            if (const auto found = links.items.find(link); found != links.items.end()) facts = found->second.facts;
        }
        text += format(" metric {}", number_of(attributes, RTA_PRIORITY));
        if (table != RT_TABLE_MAIN) text += format(" table {}", table);
        routes.items[text] = {{}, std::move(facts)};
    });
    if (error != 0) routes.unreadable = std::strerror(error);
}

// To ask a kernel that has not loaded it would load it.
bool is_nftables_there(const HostFiles& host) {
    const auto modules = read_whole(host.proc(), "modules");
    return !modules || ("\n" + *modules).find("\nnf_tables ") != std::string::npos ||
           ::faccessat(host.sys(), "module/nf_tables", F_OK, 0) == 0;
}

}  // namespace

Network observe_network(const HostFiles& host, const Ask& ask) {
    Network network;
    const Names names = read_links(host, ask, network.links);
    read_addresses(ask, names, network.links, network.addresses);
    read_routes(ask, names, network.links, network.routes);
    return network;
}

Table observe_nftables(const HostFiles& host, const Ask& ask) {
    Table table;
    if (!is_nftables_there(host)) {
        table.unreadable = "nf_tables is not loaded";
        return table;
    }
    constexpr auto type = [](int message) { return static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | message); };
    const nfgenmsg all{AF_UNSPEC, NFNETLINK_V0, 0};
    // Numbers of netfilter are in network order.
    const auto number = [](const Attributes& attributes, unsigned which) {
        return ntohl(number_of(attributes, which));
    };
    int error = ask({NETLINK_NETFILTER, type(NFT_MSG_GETGEN), 0, bytes_of(all)}, [&](const nlmsghdr&, Bytes body) {
        const Attributes attributes = attributes_of(body, sizeof all);
        table.items["ruleset"] = {format("generation {}", number(attributes, NFTA_GEN_ID)), {}};
    });
    if (error == 0) {
        error = ask({NETLINK_NETFILTER, type(NFT_MSG_GETTABLE), NLM_F_DUMP, bytes_of(all)},
                    [&](const nlmsghdr&, Bytes body) {
                        const Attributes attributes = attributes_of(body, sizeof all);
                        if (!attributes.contains(NFTA_TABLE_NAME)) return;
                        // Tables that go with their maker know its netlink port, which is its pid where it has one
                        // socket.
                        Facts facts;
                        facts.pid = static_cast<pid_t>(number(attributes, NFTA_TABLE_OWNER));
                        table.items[format("table {} of family {}", text_of(attributes.at(NFTA_TABLE_NAME)),
                                           header_of<nfgenmsg>(body).nfgen_family)] = {{}, std::move(facts)};
                    });
    }
    if (error != 0) table.unreadable = error == EPERM ? "only root may read it" : std::strerror(error);
    return table;
}

}  // namespace runtime::host
