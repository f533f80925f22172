// Stages with the network `user`: as pinned as those with the host's, and failed where it cannot be had.
#include <unistd.h>

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;

namespace {

bool can_build() {
    if (::access("/usr/bin/pasta", X_OK) == 0 && ::access("/dev/net/tun", R_OK | W_OK) == 0) return true;
    unavailable("pasta and /dev/net/tun");
    return false;
}

}  // namespace

TEST_CASE("a stage with the network user has an interface and not the host's loopback, and is pinned",
          "[user-network]") {
    if (!can_build()) return;
    const Workspace workspace;
    const Listener listener;
    workspace.add_probe();
    workspace.pipeline(sandbox::os::format(R"toml(
[stage.fetch]
from = "host"
network = "user"
in = {{ "/in/probe" = "./probe" }}
run = ["sh", "-c", "/in/probe connect-inet 127.0.0.1 {}; grep -c : /proc/net/dev; cat /etc/resolv.conf; echo x > /out/x"]
out = {{ x = "x" }}
)toml",
                                           listener.port()));
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(says(built, "fetch | connect=ECONNREFUSED"));
    CHECK(says(built, "fetch | 2"));  // lo and one more
    CHECK(says(built, "fetch | nameserver 10.0.2.3"));
    CHECK(has_clean_receipt(built));
    CHECK(content_of(workspace.project() + "/stagebox.lock").find("[stage.fetch]") != std::string::npos);
    CHECK(states(workspace.build()) == "fetch=cached");
}

TEST_CASE("a stage whose network user cannot be had fails, and gets no other", "[user-network]") {
    if (!can_build()) return;
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.fetch]
from = "host"
network = "user"
ids = "single"
run = ["sh", "-c", "echo it ran"]
)toml");
    Start start = workspace.command({"build"});
    const std::vector<std::string> without_network = {"/usr/bin/unshare", "--user", "--map-root-user", "--net"};
    start.argv.insert(start.argv.begin(), without_network.begin(), without_network.end());
    const Result failed = tests::support::run(start);
    INFO(failed.err);
    CHECK(failed.code != 0);
    CHECK_FALSE(says(failed, "| it ran"));
    CHECK(says(failed, "start the network: /usr/bin/pasta ended"));
}
