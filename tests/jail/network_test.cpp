// Which network a payload has.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;

TEST_CASE("without a network, neither the host nor the world is reached", "[network][threat][covert]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Listener listener;
    // Refused, not unreachable: its own loopback device is up, and nobody listens there.
    CHECK(value_of(probe(ids, {"connect-inet", "127.0.0.1", listener.port()}).out, "connect") == "ECONNREFUSED");
    CHECK(value_of(probe(ids, {"connect-inet", "::1", listener.port()}).out, "connect") == "ECONNREFUSED");
    CHECK(value_of(probe(ids, {"connect-inet", "192.0.2.1", "80"}).out, "connect") == "ENETUNREACH");
    CHECK(value_of(probe(ids, {"connect-unix", listener.name()}).out, "connect") == "ECONNREFUSED");
}

TEST_CASE("the host's network is there where it was asked for", "[network]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Listener listener;
    const auto shared = [&](const Words& command) {
        return tests::jail::run(join({"--ids", ids, "--share-net"}, bare()), join({"/probe"}, command)).out;
    };
    CHECK(value_of(shared({"connect-inet", "127.0.0.1", listener.port()}), "connect") == "ok");
    // Abstract sockets are the network's too; the second fence is around them, where the kernel can do that.
    const char* scoped = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) >= 6 ? "EPERM" : "ok";
    CHECK(value_of(shared({"connect-unix", listener.name()}), "connect") == scoped);
}
