// The words of `profile learn`.
#include "runtime/cli/profile/learn.hpp"

#include <stdexcept>

#include "tests/support/catch.hpp"

using runtime::cli::parse_learn;

TEST_CASE("profile learn: its own options come first, and what follows is run's", "[command]") {
    const auto request = parse_learn({"-o", "x.toml", "--profile", "strict", "-o", "tool", "-f", "y"});
    CHECK(request.output == "x.toml");
    CHECK(request.pipeline.empty());
    CHECK(request.command == std::vector<std::string>{"--profile", "strict", "-o", "tool", "-f", "y"});
    CHECK(parse_learn({"true"}).output == "learned.toml");
}

TEST_CASE("profile learn: a stage of a pipeline", "[command]") {
    const auto request = parse_learn({"--file", "p.toml", "--output", "a/b.toml", "stage"});
    CHECK(request.output == "a/b.toml");
    CHECK(request.pipeline == "p.toml");
    CHECK(request.command == std::vector<std::string>{"stage"});
}

TEST_CASE("profile learn: what is wrong with its words", "[command]") {
    CHECK_THROWS_WITH(parse_learn({}), "there is no command to learn from");
    CHECK_THROWS_WITH(parse_learn({"-o", "x.toml"}), "there is no command to learn from");
    CHECK_THROWS_WITH(parse_learn({"-f"}), "-f lacks a value");
    CHECK_THROWS_WITH(parse_learn({"-o", "x.json", "true"}), "-o x.json: a profile's file ends in .toml");
}
