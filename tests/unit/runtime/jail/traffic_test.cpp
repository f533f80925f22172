#include "runtime/jail/traffic.hpp"

#include <linux/netlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "sandbox/os/sys.hpp"
#include "tests/support/catch.hpp"

using namespace runtime::jail;
using sandbox::os::Fd;

TEST_CASE("an interface's traffic is counted by the kernel, and one that is not there has none", "[network]") {
    const Fd netlink(sandbox::os::sys([] { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE); },
                                      "make a netlink socket"));
    const auto loopback = read_traffic(netlink, static_cast<int>(::if_nametoindex("lo")));
    REQUIRE(loopback);
    INFO("what the loopback device sends, it receives");
    CHECK(loopback->received == loopback->sent);
    CHECK_FALSE(read_traffic(netlink, 0x7fffffff));
    CHECK_FALSE(read_traffic(Fd(), 1));
}
