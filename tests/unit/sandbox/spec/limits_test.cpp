// What keeps limits without a cgroup, and what the files of a cgroup say.
#include "sandbox/spec/limits.hpp"

#include <sys/resource.h>

#include "sandbox/cgroup/cgroup.hpp"
#include "tests/support/catch.hpp"

using namespace sandbox;

namespace {

using Names = std::vector<std::string_view>;
using Words = std::vector<std::string>;

Limits all() {
    Limits limits;
    limits.pids = 20;
    limits.memory = 1024;
    limits.cpu = 500;
    limits.io_weight = 50;
    limits.time = std::chrono::seconds(1);
    return limits;
}

}  // namespace

TEST_CASE("limits that need a cgroup are known by name", "[limits]") {
    CHECK(limits_of_cgroup({}).empty());
    CHECK(limits_of_cgroup(all()) == Names{"pids", "memory", "cpu", "io-weight"});
    Limits times;
    times.time = times.idle = std::chrono::seconds(1);
    CHECK(limits_of_cgroup(times).empty());
}

TEST_CASE("without a cgroup nothing is kept by less, unless that was asked for", "[limits]") {
    const Names names = limits_of_cgroup(all());
    const KeptLimits range = keep_otherwise(all(), names, IdMode::range);
    CHECK(range.unkept == names);
    CHECK(range.rlimits.empty());
    CHECK(range.otherwise.empty());

    // The whole jail is one id: RLIMIT_NPROC says the same.
    const KeptLimits single = keep_otherwise(all(), names, IdMode::single);
    CHECK(single.unkept == Names{"memory", "cpu", "io-weight"});
    REQUIRE(single.rlimits.size() == 1);
    CHECK(single.rlimits[0].resource == RLIMIT_NPROC);
    CHECK(single.rlimits[0].hard == 21);  // init is one
    CHECK(single.otherwise == Words{"pids by RLIMIT_NPROC"});

    Limits less = all();
    less.fallback = LimitFallback::rlimits;
    const KeptLimits asked = keep_otherwise(less, names, IdMode::range);
    CHECK(asked.unkept.empty());
    REQUIRE(asked.rlimits.size() == 2);
    CHECK(asked.rlimits[1].resource == RLIMIT_DATA);
    CHECK(asked.rlimits[1].soft == 1024);
    CHECK(asked.otherwise == Words{"pids by RLIMIT_NPROC, for each id of the jail",
                                   "memory by RLIMIT_DATA, for each process", "cpu not at all",
                                   "io-weight not at all"});
    // Where only one controller is missing, only that limit is.
    CHECK(keep_otherwise(all(), Names{"io-weight"}, IdMode::range).unkept == Names{"io-weight"});
    CHECK(keep_otherwise(less, Names{"cpu"}, IdMode::range).otherwise == Words{"cpu not at all"});
}

TEST_CASE("of two rlimits for the same, the lower one holds", "[limits]") {
    std::vector<RlimitValue> rlimits = {{.resource = RLIMIT_NPROC, .soft = 5, .hard = 100},
                                        {.resource = RLIMIT_CORE, .soft = 0, .hard = 0}};
    const std::vector<RlimitValue> more = {{.resource = RLIMIT_NPROC, .soft = 21, .hard = 21},
                                           {.resource = RLIMIT_DATA, .soft = 7, .hard = 7}};
    add_rlimits(rlimits, more);
    REQUIRE(rlimits.size() == 3);
    CHECK(rlimits[0].soft == 5);
    CHECK(rlimits[0].hard == 21);
    CHECK(rlimits[2].resource == RLIMIT_DATA);
}

TEST_CASE("counts in the files of a cgroup are found by their words", "[limits]") {
    const std::string events = "low 0\nhigh 0\nmax 17\noom 2\noom_kill 3\noom_group_kill 1\n";
    CHECK(find_count(events, "oom_kill") == 3);
    CHECK(find_count(events, "oom") == 2);
    CHECK(find_count(events, "max") == 17);
    CHECK_FALSE(find_count(events, "kill"));
    CHECK_FALSE(find_count("", "max"));
    CHECK_FALSE(find_count("max many\n", "max"));
    const std::string io =
        "8:0 rbytes=4096 wbytes=10 rios=1 wios=2 dbytes=0 dios=0\n"
        "254:16 rbytes=100 wbytes=1 rios=1 wios=1 dbytes=0 dios=0\n";
    CHECK(sum_counts(io, "rbytes") == 4196);
    CHECK(sum_counts(io, "wbytes") == 11);
    CHECK(sum_counts(io, "bytes") == 0);
    CHECK(sum_counts("", "rbytes") == 0);
}
