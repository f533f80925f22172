#include "sandbox/config/config.hpp"

#include <sys/stat.h>

#include <array>
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using sandbox::ConfigError;
using sandbox::ConfigPosition;
using sandbox::ConfigTable;
using sandbox::parse_config;

namespace {

// What the error says, for a piece of code that must throw one.
template <class Code>
std::string error_of(Code&& code) {
    try {
        code();
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

ConfigTable parse(std::string text) {
    return parse_config(std::move(text), "test.toml");
}

}  // namespace

TEST_CASE("config: values know where they were written", "[config]") {
    const ConfigTable top =
        parse("version = 1\n[b]\n  x = \"one\"\nlist = [\"a\",\n  'b']\nt = { \"/in\" = true }\n[a]\n");
    REQUIRE(top.entries().size() == 3);
    CHECK(top.entries()[0].key == "version");
    CHECK(top.entries()[1].key == "b");  // the file's order, not the alphabet's
    CHECK(top.entries()[1].key_at == ConfigPosition{2, 2});
    const ConfigTable& b = top.require("b").as_table();
    CHECK(b.path() == "b");
    CHECK(b.entries()[0].key_at == ConfigPosition{3, 3});
    CHECK(b.require("x").at() == ConfigPosition{3, 7});
    CHECK(b.require("x").path() == "b.x");
    CHECK(b.require("list").as_array()[1].at() == ConfigPosition{5, 3});
    CHECK(b.require("list").as_array()[1].path() == "b.list[1]");
    CHECK(b.require("list").as_strings() == std::vector<std::string>{"a", "b"});
    CHECK(b.require("t").as_table().require("/in").as_boolean());
    CHECK(b.require("t").as_table().require("/in").path() == "b.t.\"/in\"");
    CHECK(top.require("version").as_integer() == 1);
    CHECK(top.find("nothing") == nullptr);
}

TEST_CASE("config: an error has one form", "[config]") {
    const ConfigTable top = parse("[a]\nform = 3\n");
    const ConfigTable& a = top.require("a").as_table();
    CHECK(error_of([&] {
              a.allow_only({"from", "out"});
          }) ==
          "test.toml:2:1: error: unknown key \"form\" in a\n"
          "    2 | form = 3\n"
          "      | ^\n"
          "  help: did you mean \"from\"?");
    try {
        a.allow_only({"from", "out"});
        FAIL("an unknown key was accepted");
    } catch (const ConfigError& error) {
        CHECK(error.file() == "test.toml");
        CHECK(error.line() == 2);
        CHECK(error.column() == 1);
        CHECK(error.problem().what == "unknown key \"form\" in a");
        CHECK(error.problem().remedy == "did you mean \"from\"?");
    }
    CHECK(error_of([&] { static_cast<void>(a.require("out")); }) ==
          "test.toml:1:1: error: a needs the key \"out\"\n    1 | [a]\n      | ^");
}

TEST_CASE("config: a wrong type says what was meant and what was found", "[config]") {
    const ConfigTable top = parse("s = \"x\"\ni = 3\nf = 0.5\nb = true\nd = 2020-01-01\na = [1]\nt = {}\n");
    const auto message = [&](std::string_view key, const auto& read) -> std::string {
        try {
            read(top.require(key));
        } catch (const ConfigError& error) {
            return error.problem().what;
        }
        return "no error";
    };
    const auto as_string = [](const sandbox::ConfigValue& value) { static_cast<void>(value.as_string()); };
    CHECK(message("i", as_string) == "i must be a string, but is the integer 3");
    CHECK(message("f", as_string) == "f must be a string, but is the number 0.5");
    CHECK(message("b", as_string) == "b must be a string, but is the boolean true");
    CHECK(message("d", as_string) == "d must be a string, but is a date or time");
    CHECK(message("a", as_string) == "a must be a string, but is an array");
    CHECK(message("t", as_string) == "t must be a string, but is a table");
    CHECK(message("s", [](const auto& value) { static_cast<void>(value.as_integer()); }) ==
          "s must be an integer, but is the string \"x\"");
    CHECK(message("s", [](const auto& value) { static_cast<void>(value.as_strings()); }) ==
          "s must be an array of strings, but is the string \"x\"");
    CHECK(message("a", [](const auto& value) { static_cast<void>(value.as_strings()); }) ==
          "a[0] must be a string, but is the integer 1");
    CHECK(message("s", [](const auto& value) {
              static_cast<void>(value.as_one_of({"none", "host"}));
          }) == "s must be \"none\" or \"host\", but is the string \"x\"");
}

TEST_CASE("config: what is not TOML is told in the same form", "[config]") {
    CHECK(error_of([] { parse("a = host\n"); }) ==
          "test.toml:1:5: error: not valid TOML: value: could not determine value type\n"
          "    1 | a = host\n"
          "      |     ^\n"
          "  help: a string needs quotes around it");
    CHECK_THROWS_AS(parse("a = 1\na = 2\n"), ConfigError);
    CHECK_THROWS_AS(parse("a = \"\xff\"\n"), ConfigError);
    CHECK_THROWS_AS(parse(std::string("a = \"\0\"\n", 8)), ConfigError);
}

TEST_CASE("config: depth is bounded", "[config]") {
    std::string dots = "a";
    for (int i = 0; i < 2000; ++i) dots += ".a";
    CHECK_THROWS_AS(parse(dots + " = 1\n"), ConfigError);
    CHECK_THROWS_AS(parse("a = " + std::string(1000, '[') + std::string(1000, ']') + "\n"), ConfigError);
    CHECK_NOTHROW(parse("a = \"" + std::string(400, '.') + "\"\n"));
}

TEST_CASE("config: nothing of the file reaches the terminal as control characters", "[config]") {
    const std::string text = error_of([] { parse("a = \x1b[31m\n"); });
    CHECK(text.find('\x1b') == std::string::npos);
    const std::string right_to_left = {'\xe2', '\x80', '\xae'};
    const ConfigError error("f\x1b", {1, 3}, "a\nb\x07", "c\r", "x\x1b\xff" + right_to_left + "y");
    CHECK(std::string(error.what()) == "f?:1:3: error: a?b?\n    1 | x???y\n      |   ^\n  help: c?");
}

TEST_CASE("config: the caret counts characters and keeps tabs", "[config]") {
    CHECK(std::string(ConfigError("f", {1, 4}, "m", "", "ä\tüx").what()) ==
          "f:1:4: error: m\n    1 | ä\tüx\n      |  \t ^");
    // Beyond the end of a line, as where something is missing.
    CHECK(std::string(ConfigError("f", {1, 9}, "m", "", "abc").what()) == "f:1:9: error: m\n    1 | abc\n      |    ^");
    const std::string far = ConfigError("f", {1, 500}, "m", "", std::string(1000, 'x')).what();
    CHECK(far.size() < 300);
}

TEST_CASE("config: files that cannot be read", "[config]") {
    const tests::TemporaryDirectory directory;
    const std::string missing = (directory.path() / "missing.toml").string();
    CHECK(error_of([&] { sandbox::read_config(missing, "x.toml"); }) ==
          "x.toml: error: cannot read it: No such file or directory");
    CHECK(error_of([&] { sandbox::read_config(directory.path().string(), "x.toml"); }) ==
          "x.toml: error: not a regular file");
    const std::string fifo = (directory.path() / "fifo").string();
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(error_of([&] { sandbox::read_config(fifo, "x.toml"); }) == "x.toml: error: not a regular file");
    const std::string large = directory.write("large.toml", std::string((4UL << 20U) + 1, '\n'));
    CHECK(error_of([&] { sandbox::read_config(large, "x.toml"); }) == "x.toml: error: larger than 4 MiB");
    CHECK(sandbox::read_config(directory.write("small.toml", "a = 1\r\nb = 2")).entries().size() == 2);
}
