#include "sandbox/os/problem.hpp"

#include <cerrno>

#include "sandbox/config/config.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/sys.hpp"
#include "tests/support/catch.hpp"

using namespace sandbox::os;

TEST_CASE("a problem is one line, with its remedy in a line of its own", "[problem]") {
    CHECK(to_string({"no room"}) == "no room");
    CHECK(to_string({"no room", "make some"}) == "no room\n  help: make some");
    CHECK(to_string({"no room", "make some", "a.toml:3:1"}) == "a.toml:3:1: no room\n  help: make some");
    CHECK(to_string({"a\x1b", "b\x1b", "c\x1b"}) == "c?: a?\n  help: b?");
    CHECK(help_line("").empty());
}

TEST_CASE("every exception of ours carries a problem", "[problem]") {
    const auto problem_of = [](const auto& thrown) {
        try {
            throw thrown;
        } catch (const Error& error) {
            return error.problem();
        }
    };
    CHECK(problem_of(Error("no room")) == Problem{"no room"});
    CHECK(std::string(Error(Problem{"no room", "make some"}).what()) == "no room\n  help: make some");
    CHECK(problem_of(SysError(EACCES, "open /x")) == Problem{"open /x: Permission denied"});
    CHECK(SysError(EACCES, "open /x").error() == EACCES);
    CHECK(SysError(EACCES, "open /x").message() == "Permission denied");
    CHECK(problem_of(sandbox::IdMapError({"no range", "add one"})) == Problem{"no range", "add one"});
    CHECK(std::string(sandbox::IdMapError({"no range", "add one"}).what()) == "no range; to mend it: add one");
    CHECK(problem_of(sandbox::ConfigError("a.toml", {3, 1}, "no room", "make some", "x = 1")) ==
          Problem{"no room", "make some", "a.toml:3:1"});
}
