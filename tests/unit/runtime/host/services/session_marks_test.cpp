#include "runtime/host/services/session_marks.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"

using namespace runtime::host;
using tests::Machine;

TEST_CASE("a login's user is a number of 32 bits, or nobody", "[host-services]") {
    const Machine machine;
    const auto login = [&](std::string_view text) {
        machine.file("proc/self/loginuid", text);
        return login_uid(machine.files());
    };
    CHECK(login_uid(Machine().files()) == std::nullopt);
    CHECK(login("1000") == 1000U);
    CHECK(login("1000\n") == 1000U);
    CHECK(login("0") == 0U);
    for (const char* nobody : {"4294967295", "", "\n", "-1", "x", "1000x", "1000 0", "\xff"}) {
        CAPTURE(nobody);
        CHECK(login(nobody) == std::nullopt);
    }
    INFO("numbers past 32 bits must not wrap around to root or to a user");
    CHECK(login("4294967296") == std::nullopt);
    CHECK(login("4294968296") == std::nullopt);
    CHECK(login(std::string(1 << 20, '1')) == std::nullopt);
}

TEST_CASE("the SSH connection is found in the first environment that has it", "[host-services]") {
    const Machine machine;
    using namespace std::string_view_literals;
    machine.file("proc/10/environ", "PATH=/bin\0XSSH_CONNECTION=no\0"sv);
    machine.file("proc/20/environ", "A=1\nSSH_CONNECTION=no\0SSH_CONNECTION=10.0.0.2 50000 10.0.0.1 22\0B="sv);
    machine.file("proc/30/environ", "SSH_CONNECTION=other"sv);
    machine.file("proc/40/environ", std::string(1 << 20, '\0'));
    CHECK(find_ssh_connection(machine.files(), {10, 20, 30}) == "10.0.0.2 50000 10.0.0.1 22");
    CHECK(find_ssh_connection(machine.files(), {10, 30}) == "other");
    CHECK(find_ssh_connection(machine.files(), {10, 40, 50}).empty());
    CHECK(find_ssh_connection(machine.files(), {}).empty());
}

TEST_CASE("who has set up a link says so in a file", "[host-services]") {
    const Machine machine;
    machine.file("run/systemd/netif/links/2", "# This is private data.\nADMIN_STATE=configured\nOPER_STATE=routable\n");
    machine.file("run/systemd/netif/links/3", "ADMIN_STATE=unmanaged\n");
    machine.file("run/network/ifstate.eth0", "eth0=eth0\n");
    CHECK(is_link_of_networkd(machine.files(), 2));
    CHECK_FALSE(is_link_of_networkd(machine.files(), 3));
    CHECK_FALSE(is_link_of_networkd(machine.files(), 4));
    CHECK(is_link_of_ifup(machine.files(), "eth0"));
    CHECK_FALSE(is_link_of_ifup(machine.files(), "eth1"));
    CHECK_FALSE(is_link_of_ifup(Machine().files(), "eth0"));
}
