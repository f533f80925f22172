#include "runtime/host/state/network.hpp"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"
#include "tests/unit/runtime/host/netlink_messages.hpp"

using namespace runtime::host;
using tests::Machine;
using tests::Message;

namespace {

// A kernel that answers each type of request with messages that were put together before.
class Kernel {
  public:
    void answer(int type, Message message) { answers_[type].push_back(std::move(message)); }
    void refuse(int type, int error) { errors_[type] = error; }
    [[nodiscard]] Ask ask() const {
        return [this](const NetlinkRequest& request, const NetlinkAnswer& give) {
            if (const auto refused = errors_.find(request.type); refused != errors_.end()) return refused->second;
            const auto found = answers_.find(request.type);
            if (found == answers_.end()) return 0;
            for (const Message& message : found->second) give(nlmsghdr{}, message.bytes());
            return 0;
        };
    }

  private:
    std::map<int, std::vector<Message>> answers_;
    std::map<int, int> errors_;
};

Message link(int index, std::string_view name, unsigned flags, std::string_view kind = {}) {
    ifinfomsg head{};
    head.ifi_index = index;
    head.ifi_flags = flags;
    Message message;
    message.add(head).attribute(IFLA_IFNAME, name).attribute(IFLA_MTU, std::uint32_t{1500});
    if (!kind.empty()) message.attribute(IFLA_LINKINFO, Message().attribute(IFLA_INFO_KIND, kind));
    return message;
}

Message address(unsigned index, const char* text, unsigned char bits) {
    ifaddrmsg head{};
    head.ifa_family = AF_INET;
    head.ifa_index = index;
    head.ifa_prefixlen = bits;
    return Message().add(head).attribute(IFA_LOCAL, ::inet_addr(text));
}

std::vector<std::string> names(const Table& table) {
    std::vector<std::string> all;
    for (const auto& [name, item] : table.items) all.push_back(name);
    return all;
}

}  // namespace

TEST_CASE("links have their number, kind and state, and a tun device its owner", "[session][network]") {
    const Machine machine;
    machine.file("sys/class/net/tap0/owner", "1000\n");
    machine.file("sys/class/net/tap1/owner", "-1\n");
    Kernel kernel;
    kernel.answer(RTM_GETLINK, link(1, "lo", IFF_UP));
    kernel.answer(RTM_GETLINK, link(7, "tap0", 0, "tun"));
    kernel.answer(RTM_GETLINK, link(8, "tap1", IFF_UP, "tun"));
    kernel.answer(RTM_GETADDR, address(7, "10.0.0.1", 24));
    kernel.answer(RTM_GETADDR, address(99, "10.0.0.2", 8));
    const Network network = observe_network(machine.files(), kernel.ask());
    CHECK(network.links.items.at("lo") == Item{"number 1, up, mtu 1500", {}});
    CHECK(network.links.items.at("tap0") == Item{"tun number 7, down, mtu 1500", {.uid = 1000}});
    CHECK(network.links.items.at("tap1").facts.uid == std::nullopt);
    CHECK(network.addresses.items.at("10.0.0.1/24 dev tap0").facts.uid == 1000U);
    INFO("an address of a link that is not in the list any more has the link's number");
    CHECK(network.addresses.items.contains("10.0.0.2/8 dev #99"));
}

TEST_CASE("an owner of a link past 32 bits is no owner, and above all not root", "[session][network]") {
    for (const char* owner :
         {"4294967296\n", "4294967295\n", "99999999999999999999\n", "x\n", "", "1000 1\n", "0x10\n"}) {
        const Machine machine;
        machine.file("sys/class/net/tap0/owner", owner);
        Kernel kernel;
        kernel.answer(RTM_GETLINK, link(2, "tap0", 0));
        CAPTURE(owner);
        CHECK(observe_network(machine.files(), kernel.ask()).links.items.at("tap0").facts.uid == std::nullopt);
    }
}

TEST_CASE("answers that are cut short or without a name are passed over", "[session][network]") {
    const Machine machine;
    Kernel kernel;
    kernel.answer(RTM_GETLINK, Message());
    kernel.answer(RTM_GETLINK, Message().add(std::uint16_t{1}));
    kernel.answer(RTM_GETLINK, Message().add(ifinfomsg{}));
    kernel.answer(RTM_GETADDR, Message());
    kernel.answer(RTM_GETADDR, Message().add(ifaddrmsg{}).attribute(IFA_LOCAL, std::uint16_t{1}));
    const Network network = observe_network(machine.files(), kernel.ask());
    CHECK(network.links.items.empty());
    CHECK(names(network.addresses) == std::vector<std::string>{"?/0 dev #0"});
}

TEST_CASE("routes are told with their way, and those of the local table are not", "[session][network]") {
    const Machine machine;
    Kernel kernel;
    kernel.answer(RTM_GETLINK, link(2, "eth0", IFF_UP));
    rtmsg head{};
    head.rtm_family = AF_INET;
    kernel.answer(RTM_GETROUTE, Message()
                                    .add(head)
                                    .attribute(RTA_TABLE, std::uint32_t{RT_TABLE_MAIN})
                                    .attribute(RTA_GATEWAY, ::inet_addr("10.0.0.1"))
                                    .attribute(RTA_OIF, std::uint32_t{2})
                                    .attribute(RTA_PRIORITY, std::uint32_t{100}));
    kernel.answer(RTM_GETROUTE, Message().add(head).attribute(RTA_TABLE, std::uint32_t{RT_TABLE_LOCAL}));
    head.rtm_dst_len = 8;
    kernel.answer(
        RTM_GETROUTE,
        Message().add(head).attribute(RTA_TABLE, std::uint32_t{77}).attribute(RTA_DST, ::inet_addr("10.0.0.0")));
    CHECK(names(observe_network(machine.files(), kernel.ask()).routes) ==
          std::vector<std::string>{"10.0.0.0/8 metric 0 table 77", "default via 10.0.0.1 dev eth0 metric 100"});
}

TEST_CASE("a kernel that refuses is told of in its words", "[session][network]") {
    const Machine machine;
    Kernel kernel;
    kernel.refuse(RTM_GETLINK, EPERM);
    const Network network = observe_network(machine.files(), kernel.ask());
    CHECK(network.links.unreadable == "Operation not permitted");
    CHECK(network.addresses.unreadable.empty());
}

TEST_CASE("nftables are asked for only where the kernel has loaded them", "[session][network]") {
    constexpr int tables = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE;
    constexpr int generation = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
    Kernel kernel;
    kernel.answer(generation, Message().add(nfgenmsg{}).attribute(NFTA_GEN_ID, htonl(42)));
    kernel.answer(tables, Message().add(nfgenmsg{AF_INET, 0, 0}).attribute(NFTA_TABLE_NAME, "nat"));

    const Machine arch;
    make_arch(arch);
    arch.file("proc/modules", "nf_tables_set 16384 0 - Live 0x0\nxnf_tables 1 0\n");
    CHECK(observe_nftables(arch.files(), kernel.ask()).unreadable == "nf_tables is not loaded");

    const Machine debian;
    make_debian_11(debian);
    const Table loaded = observe_nftables(debian.files(), kernel.ask());
    CHECK(loaded.items.at("ruleset").value == "generation 42");
    CHECK(loaded.items.contains("table nat of family 2"));

    arch.folder("sys/module/nf_tables");
    INFO("what is built into a kernel is in /sys/module, and not in /proc/modules");
    CHECK(observe_nftables(arch.files(), kernel.ask()).items.size() == 2);

    kernel.refuse(generation, EPERM);
    CHECK(observe_nftables(debian.files(), kernel.ask()).unreadable == "only root may read it");
}
