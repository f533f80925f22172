// The words of `stagebox run`.
#include "runtime/cli/run.hpp"

#include <catch2/catch.hpp>

using runtime::cli::parse_run;
using sandbox::Access;
using sandbox::Bind;

TEST_CASE("run: options keep their order, the command keeps its own", "[run]") {
    const auto request = parse_run({"--ro-bind", "/usr", "/usr", "--tmpfs", "/t", "--bind", "/usr", "/t/u", "--symlink",
                                    "usr/bin", "/bin", "--", "tool", "--bind", "-x"});
    REQUIRE(request.spec.mounts.size() == 5);  // the root comes first
    CHECK(std::holds_alternative<sandbox::Tmpfs>(request.spec.mounts[0]));
    CHECK(std::get<Bind>(request.spec.mounts[1]).access == Access::read_only);
    CHECK(std::get<sandbox::Tmpfs>(request.spec.mounts[2]).target == "/t");
    CHECK(std::get<Bind>(request.spec.mounts[3]).access == Access::read_write);
    CHECK(std::get<sandbox::Symlink>(request.spec.mounts[4]).points_to == "usr/bin");
    CHECK(request.command.argv == std::vector<std::string>{"tool", "--bind", "-x"});
}

TEST_CASE("run: the first word that is no option begins the command", "[run]") {
    CHECK(parse_run({"--hostname", "h", "echo", "--help"}).command.argv == std::vector<std::string>{"echo", "--help"});
}

TEST_CASE("run: the environment is empty but for what is asked for", "[run]") {
    const auto request = parse_run({"--setenv", "A", "1", "--setenv", "B", "2", "--unsetenv", "A", "true"});
    CHECK(request.command.env ==
          std::vector<std::pair<std::string, std::string>>{{"B", "2"}, {"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}});
    CHECK(parse_run({"--clearenv", "true"}).command.env.empty());
}

TEST_CASE("run: what is wrong is named", "[run]") {
    CHECK_THROWS_WITH(parse_run({}), Catch::Contains("no command"));
    CHECK_THROWS_WITH(parse_run({"--bind", "/usr"}), Catch::Contains("--bind lacks a value"));
    CHECK_THROWS_WITH(parse_run({"--bnid", "/usr", "/usr", "true"}), Catch::Contains("--bnid is not an option"));
    CHECK_THROWS_WITH(parse_run({"--ids", "many", "true"}), Catch::Contains("\"many\""));
    CHECK_THROWS_WITH(parse_run({"--bind", "/no/such/place", "/x", "true"}), Catch::Contains("/no/such/place"));
}
