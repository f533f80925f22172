#include "runtime/host/services/ssh_link.hpp"

#include "tests/support/catch.hpp"

using namespace runtime::host;

TEST_CASE("the link of an SSH session is the one on the way to its peer", "[host-services]") {
    const auto link = find_ssh_link("127.0.0.1 50000 127.0.0.1 22");
    REQUIRE(link);
    CHECK(link->peer == "127.0.0.1");
    CHECK(link->name == "lo");
    CHECK(link->index == 1);
    CHECK_FALSE(find_ssh_link(""));
    CHECK_FALSE(find_ssh_link("nobody 1 2 3"));
    CHECK_FALSE(find_ssh_link(std::string(1 << 20, '1')));
    CHECK_FALSE(find_ssh_link("127.0.0.1\xff 1 2 3"));
    CHECK_FALSE(find_ssh_link("fe80::1%no-such-link 1 2 3"));
    CHECK_FALSE(find_ssh_link("\n"));
}
