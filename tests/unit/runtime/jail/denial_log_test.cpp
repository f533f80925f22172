#include "runtime/jail/denial_log.hpp"

#include "sandbox/os/json.hpp"
#include "tests/support/catch.hpp"

using namespace runtime::jail;
using sandbox::os::Json;

TEST_CASE("denials of one kind are counted, the most frequent come first, and there is an end to kinds", "[denials]") {
    DenialLog log;
    const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'000'000'000));
    const DenialKind rare{"mount", EPERM, 0, "apt"};
    const DenialKind often{"ptrace", EPERM, 0, "gdb"};
    CHECK(log.is_empty());
    REQUIRE(log.count(rare, now));
    log.add(rare, {"mount(NULL)", 12, "/usr/bin/apt", "/", "a line"}, now);
    REQUIRE(log.count(often, now));
    log.add(often, {"ptrace(0x0)", 13, "/usr/bin/gdb", "/", "another"}, now);
    CHECK_FALSE(log.count(often, now + std::chrono::seconds(5)));
    CHECK(log.total() == 3);
    const auto lines = to_lines(log, 1);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] == "denied: ptrace(0x0) by gdb (pid 13), 2 times: EPERM\n    allow it with another");
    CHECK(lines[1] == "denied: 1 more");
    const Json json = to_json(log);
    CHECK(json.at("total") == 3);
    CHECK(json.at("denials").at(0).at("count") == 2);
    CHECK(json.at("denials").at(0).at("first") == "2001-09-09T01:46:40Z");
    CHECK(json.at("denials").at(0).at("last") == "2001-09-09T01:46:45Z");
    CHECK(json.at("denials").at(1).at("executable") == "/usr/bin/apt");

    for (std::uint64_t i = 0; i < 1000; ++i) {
        const DenialKind kind{"ioctl", EPERM, i, "x"};
        if (log.count(kind, now)) log.add(kind, {}, now);
    }
    CHECK(log.denials().size() == DenialLog::most_kinds);
    CHECK(log.total() == 1003);
    CHECK(to_lines(log, 10000).back() == "denied: 746 more");
}

TEST_CASE("names that are no UTF-8 can be written out", "[denials]") {
    DenialLog log;
    const DenialKind kind{"mount", EPERM, 0, "a\xff\x1b"};
    REQUIRE(log.count(kind, {}));
    log.add(kind, {"mount(\"\xc3\")", 2, "/\xfe", "/\xe2\x82", ""}, {});
    CHECK_NOTHROW(to_json(log).dump());
    CHECK(to_json(log).at("denials").at(0).at("process") == "a\xef\xbf\xbd?");
}
