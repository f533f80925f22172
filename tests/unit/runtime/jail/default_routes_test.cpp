#include "runtime/jail/default_routes.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>

#include "tests/support/catch.hpp"
#include "tests/unit/machine.hpp"

using namespace runtime::jail;
using tests::Machine;

namespace {

constexpr const char* head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const std::string zeros(32, '0');

// RTM_NEWROUTE by the interface, as one datagram.
std::string route(unsigned char family, int interface, unsigned char bits = 0) {
    struct {
        nlmsghdr header;
        rtmsg route;
        rtattr attribute;
        int interface;
    } message = {};
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = RTM_NEWROUTE;
    message.route.rtm_family = family;
    message.route.rtm_dst_len = bits;
    message.route.rtm_type = RTN_UNICAST;
    message.attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(sizeof(int)));
    message.attribute.rta_type = RTA_OIF;
    message.interface = interface;
    return {reinterpret_cast<const char*>(&message), sizeof message};
}

DefaultRoutes noted(std::string_view messages) {
    DefaultRoutes routes;
    note_routes(messages, routes);
    return routes;
}

}  // namespace

TEST_CASE("the host's default routes are those to everywhere", "[network]") {
    const Machine machine;
    CHECK(families_with_route(machine.files()) == 0);
    machine.file("proc/net/route", std::string(head) + "eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
    INFO("a gateway of zeros is that of a route on the link, which leads nowhere else");
    CHECK(families_with_route(machine.files()) == 0);
    machine.file("proc/net/route", std::string(head) + "tun0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n");
    INFO("a route to the lower half of all addresses is not one to all");
    CHECK(families_with_route(machine.files()) == 0);
    machine.file("proc/net/route", std::string(head) + "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0");
    CHECK(families_with_route(machine.files()) == ipv4);
    machine.file("proc/net/ipv6_route",
                 zeros + " 00 " + zeros + " 00 " + zeros + " ffffffff 00000001 00000000 00200200       lo\n");
    INFO("a route to the loopback device leads nowhere");
    CHECK(families_with_route(machine.files()) == ipv4);
    machine.file(
        "proc/net/ipv6_route",
        zeros + " 00 " + zeros + " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n");
    CHECK(families_with_route(machine.files()) == (ipv4 | ipv6));
}

TEST_CASE("files of routes that are none have no routes", "[network]") {
    for (const std::string& text : {std::string(), std::string("\n\n"), std::string("\xff\xfe\0\0", 4),
                                    std::string(1 << 20, 'x'), zeros, zeros + " 0"}) {
        const Machine machine;
        machine.file("proc/net/route", text).file("proc/net/ipv6_route", text);
        CAPTURE(text.substr(0, 60));
        CHECK(families_with_route(machine.files()) == 0);
    }
}

TEST_CASE("a jail's default routes are told by messages, with the interface", "[network]") {
    CHECK(noted(route(AF_INET, 7)) == DefaultRoutes{ipv4, 7});
    CHECK(noted(route(AF_INET, 7) + route(AF_INET6, 7)) == DefaultRoutes{ipv4 | ipv6, 7});
    CHECK(noted(route(AF_INET, 7, 24)) == DefaultRoutes{});
}

TEST_CASE("messages that are cut short or lie about their size are passed over", "[network]") {
    const std::string whole = route(AF_INET, 7);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        CHECK(noted(std::string_view(whole).substr(0, size)) == DefaultRoutes{});
    }
    const auto with_length = [&](std::size_t at, std::uint32_t value, std::size_t bytes) {
        std::string message = whole;
        std::memcpy(message.data() + at, &value, bytes);
        return noted(message);
    };
    CHECK(with_length(0, 0, 4) == DefaultRoutes{});
    CHECK(with_length(0, 0xffffffff, 4) == DefaultRoutes{});
    const std::size_t attribute = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(rtmsg));
    INFO("the route is one; which interface it is by is not told");
    CHECK(with_length(attribute, 0, 2) == DefaultRoutes{ipv4, 0});
    CHECK(with_length(attribute, 4, 2) == DefaultRoutes{ipv4, 0});
    CHECK(with_length(attribute, 60000, 2) == DefaultRoutes{ipv4, 0});
}
