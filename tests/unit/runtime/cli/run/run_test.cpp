// The words of `stagebox run`.
#include "runtime/cli/run/run.hpp"

#include "tests/support/catch.hpp"

using runtime::cli::parse_run;
using sandbox::Access;
using sandbox::Bind;

TEST_CASE("run: options keep their order, the command keeps its own", "[run]") {
    const auto request = parse_run({"--ro-bind", "/usr", "/usr", "--tmpfs", "/t", "--bind", "/usr", "/t/u", "--symlink",
                                    "usr/bin", "/bin", "--", "tool", "--bind", "-x"});
    REQUIRE(request.build_spec().mounts.size() == 5);  // the root comes first
    CHECK(std::holds_alternative<sandbox::Tmpfs>(request.build_spec().mounts[0]));
    CHECK(std::get<Bind>(request.build_spec().mounts[1]).access == Access::read_only);
    CHECK(std::get<sandbox::Tmpfs>(request.build_spec().mounts[2]).target == "/t");
    CHECK(std::get<Bind>(request.build_spec().mounts[3]).access == Access::read_write);
    CHECK(std::get<sandbox::Symlink>(request.build_spec().mounts[4]).points_to == "usr/bin");
    CHECK(request.command.argv == std::vector<std::string>{"tool", "--bind", "-x"});
}

TEST_CASE("run: the first word that is no option begins the command", "[run]") {
    CHECK(parse_run({"--hostname", "h", "echo", "--help"}).command.argv == std::vector<std::string>{"echo", "--help"});
}

TEST_CASE("run: the environment is empty but for what is asked for", "[run]") {
    const auto request = parse_run({"--setenv", "A", "1", "--setenv", "B", "2", "--unsetenv", "A", "true"});
    CHECK(request.command.env ==
          std::vector<std::pair<std::string, std::string>>{{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"B", "2"}});
    CHECK(parse_run({"--clearenv", "true"}).command.env.empty());
}

TEST_CASE("run: what is wrong is named", "[run]") {
    CHECK_THROWS_WITH(parse_run({}), Catch::Contains("no command"));
    CHECK_THROWS_WITH(parse_run({"--bind", "/usr"}), Catch::Contains("--bind lacks a value"));
    CHECK_THROWS_WITH(parse_run({"--bnid", "/usr", "/usr", "true"}), Catch::Contains("--bnid is not an option"));
    CHECK_THROWS_WITH(parse_run({"--ids", "many", "true"}), Catch::Contains("\"many\""));
    CHECK_THROWS_WITH(parse_run({"--perms", "8", "--dir", "/x", "true"}), Catch::Contains("octal"));
    CHECK_THROWS_WITH(parse_run({"--perms", "700", "--proc", "/x", "true"}),
                      Catch::Contains("--perms must be followed"));
    CHECK_THROWS_WITH(parse_run({"--size", "0", "--tmpfs", "/x", "true"}), Catch::Contains("non-zero"));
    CHECK_THROWS_WITH(parse_run({"--overlay-src", "/usr", "true"}), Catch::Contains("--overlay-src must be followed"));
    CHECK_THROWS_WITH(parse_run({"--network", "all", "true"}), Catch::Contains("\"all\""));
    CHECK_THROWS_WITH(parse_run({"--uid", "-1", "true"}), Catch::Contains("Invalid uid: -1"));
    CHECK_THROWS_WITH(parse_run({"--tmpfs", "/a/../b", "true"}), Catch::Contains("without . and .."));
    CHECK_THROWS_WITH(parse_run({"--bind", "/no/such/place", "/x", "true"}), Catch::Contains("/no/such/place"));
}

TEST_CASE("run: what changes the next option changes that one alone", "[run]") {
    const auto request = parse_run({"--perms", "0700", "--size", "4096", "--tmpfs", "/a", "--tmpfs", "/b//c/", "true"});
    const auto& first = std::get<sandbox::Tmpfs>(request.build_spec().mounts[1]);
    const auto& second = std::get<sandbox::Tmpfs>(request.build_spec().mounts[2]);
    CHECK(first.mode == 0700);
    CHECK(first.size == 4096);
    CHECK(second.mode == 0755);
    CHECK(second.size == 0);
    CHECK(second.target == "/b/c");
}

TEST_CASE("run: an overlay has the layers before it, the last one on top", "[run]") {
    const auto request = parse_run({"--overlay-src", "/usr", "--overlay-src", "/etc", "--tmp-overlay", "/x", "true"});
    const auto& overlay = std::get<sandbox::Overlay>(request.build_spec().mounts[1]);
    CHECK(overlay.lowers == std::vector<std::string>{"/etc", "/usr"});
    CHECK(overlay.changes == sandbox::Changes::discarded);
    CHECK_THROWS_WITH(parse_run({"--overlay-src", "/usr", "--ro-overlay", "/x", "true"}),
                      Catch::Contains("at least two"));
}

TEST_CASE("run: the later of two words about a capability counts", "[run]") {
    const auto request = parse_run(
        {"--cap-add", "ALL", "--cap-drop", "CAP_CHOWN", "--cap-drop", "CAP_KILL", "--cap-add", "CAP_KILL", "true"});
    CHECK((request.added_capabilities & 1U) == 0);
    CHECK((request.dropped_capabilities & 1U) == 1);
    CHECK((request.added_capabilities >> 5U & 1U) == 1);
    CHECK((request.dropped_capabilities >> 5U & 1U) == 0);
}

TEST_CASE("bwrap: only what was asked for is the jail's own", "[run]") {
    using runtime::cli::Contract;
    using sandbox::Share;
    const auto plain = parse_run({"--unshare-pid", "--proc", "/proc", "true"}, Contract::bubblewrap);
    REQUIRE(std::holds_alternative<sandbox::BubblewrapSpec>(plain.spec));
    CHECK(plain.bubblewrap_spec().terms.pid == Share::own);
    CHECK(plain.bubblewrap_spec().terms.ipc == Share::caller);
    CHECK(plain.bubblewrap_spec().network == sandbox::Network::host);
    CHECK(plain.bubblewrap_spec().hostname.empty());
    const auto all = parse_run({"--unshare-all", "--share-net", "true"}, Contract::bubblewrap);
    CHECK(all.bubblewrap_spec().terms.uts == Share::own);
    CHECK(all.bubblewrap_spec().terms.user == Share::own);
    CHECK(all.bubblewrap_spec().network == sandbox::Network::host);
    CHECK(parse_run({"--unshare-net", "true"}, Contract::bubblewrap).bubblewrap_spec().network ==
          sandbox::Network::none);
    // A word of stagebox's own is none of bubblewrap's.
    CHECK_THROWS_WITH(parse_run({"--profile", "build", "true"}, Contract::bubblewrap), "Unknown option --profile");
    CHECK_THROWS_WITH(parse_run({"--hostname", "x", "true"}, Contract::bubblewrap), Catch::Contains("--unshare-uts"));
}
