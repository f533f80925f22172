// Limits as words, and what cannot be kept without a cgroup.
#include "sandbox/spec/limits_text.hpp"

#include <stdexcept>

#include "tests/support/catch.hpp"

using namespace sandbox;

namespace {

Limits with(std::string_view name, std::string_view text) {
    Limits limits;
    set_limit(limits, name, text);
    return limits;
}

}  // namespace

TEST_CASE("a limit is read from a word", "[limits]") {
    CHECK(with("pids", "4000").pids == 4000);
    CHECK(with("memory", "1000").memory == 1000);
    CHECK(with("memory", "3G").memory == std::uint64_t{3} << 30U);
    CHECK(with("memory", "512M").memory == std::uint64_t{512} << 20U);
    CHECK(with("cpu", "2.5").cpu == 2500);
    CHECK(with("cpu", "250%").cpu == 2500);
    CHECK(with("cpu", "1").cpu == 1000);
    CHECK(with("io-weight", "10000").io_weight == 10000);
    CHECK(with("time", "90s").time == std::chrono::seconds(90));
    CHECK(with("idle", "2m").idle == std::chrono::minutes(2));
}

TEST_CASE("a word that is no limit says what would be", "[limits]") {
    const auto [name, text] = GENERATE(table<const char*, const char*>({
        {"pids", "0"},   {"pids", "-1"},   {"pids", "many"},   {"memory", "3X"},
        {"memory", "G"}, {"memory", "0"},  {"memory", "1.5G"}, {"memory", "99999999999T"},
        {"cpu", "0"},    {"cpu", "0.001"}, {"cpu", "%"},       {"cpu", "nan"},
        {"cpu", "inf"},  {"cpu", "1e300"}, {"io-weight", "0"}, {"io-weight", "10001"},
        {"time", "90"},  {"time", "0s"},   {"time", "1h30m"},  {"idle", ""},
    }));
    INFO(name << " " << text);
    CHECK_THROWS_AS(with(name, text), std::invalid_argument);
    CHECK_THROWS_WITH(with(name, text), Catch::Contains("is not right for the limit " + std::string(name)));
    CHECK_THROWS_WITH(with("speed", "1"), Catch::Contains("there is no limit \"speed\""));
}

TEST_CASE("a table of limits goes over what is there, and one set of limits over another", "[limits]") {
    Limits limits = with("pids", "7");
    read_limits(parse_config("memory = \"1K\"\ncpu = 0.5\nio-weight = 5\ntime = \"1s\"", "t"), limits);
    CHECK(limits == Limits{7, 1024, 500, 5, std::chrono::seconds(1), std::nullopt, std::nullopt});
    CHECK(merge_limits(limits, with("pids", "9")) ==
          Limits{9, 1024, 500, 5, std::chrono::seconds(1), std::nullopt, std::nullopt});
    CHECK(merge_limits({}, limits) == limits);
    CHECK(describe_limits(limits) == "pids 7, memory 1K, cpu 0.5, io-weight 5, time 1s");
    CHECK(describe_limits({}).empty());
    CHECK(merge_limits(with("fallback", "refuse"), with("fallback", "rlimits")).fallback == LimitFallback::rlimits);
    CHECK(merge_limits(with("fallback", "rlimits"), limits).fallback == LimitFallback::rlimits);
    CHECK(describe_limits(with("fallback", "rlimits")) == "fallback rlimits");
    CHECK_THROWS_WITH(with("fallback", "none"), Catch::Contains("\"refuse\" or \"rlimits\""));
}
