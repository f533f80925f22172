// What a jail's end is taken for where limits had a part in it.
#include "runtime/engine/classify.hpp"

#include <signal.h>

#include "tests/support/catch.hpp"

using namespace runtime::engine;
using sandbox::os::WaitStatus;

namespace {

constexpr std::uint64_t mega = std::uint64_t{1} << 20U;

EndFacts facts_with_memory() {
    EndFacts facts;
    facts.how = WaitStatus{};
    facts.limits.memory = 64 * mega;
    facts.seconds = 2;
    facts.peak_bytes = 64 * mega;
    return facts;
}

}  // namespace

TEST_CASE("a jail that the kernel killed at its limit is out of memory, with the limit", "[classify]") {
    EndFacts facts = facts_with_memory();
    facts.oom_kills = 3;
    const Failure failure = classify(facts, {}, {});
    CHECK(failure.kind == FailureClass::out_of_memory);
    CHECK(failure.found_by == "the cgroup: 3 processes killed for want of memory");
    CHECK(failure.problem.what == "its processes were killed at its memory limit of 64M");
    CHECK(failure.limits == "memory 67.1 MB of 67.1 MB at the most");
    // A shell that outlived the killed program, and ended as it did.
    facts.how = WaitStatus::exited(128 + SIGKILL);
    facts.oom_kills = 1;
    CHECK(classify(facts, {}, {}).kind == FailureClass::out_of_memory);
    CHECK(classify(facts, {}, {}).found_by == "the cgroup: 1 process killed for want of memory");
}

TEST_CASE("killed without a limit of its own is out of memory too, and told apart", "[classify]") {
    EndFacts facts;
    facts.how = WaitStatus::signaled(SIGKILL);
    facts.oom_kills = 2;
    const Failure failure = classify(facts, {}, {});
    CHECK(failure.kind == FailureClass::out_of_memory);
    CHECK(failure.problem.what ==
          "2 of its processes were killed for want of memory: the machine's, or that of a limit around the build");
    facts.oom_kills = 0;
    CHECK(classify(facts, {}, {}).kind == FailureClass::signal);
}

TEST_CASE("the figures of limits are told, also of those that were not the reason", "[classify]") {
    EndFacts facts = facts_with_memory();
    facts.how = WaitStatus::exited(2);
    facts.peak_bytes = mega;
    facts.limits.pids = 10;
    facts.limits.cpu = 1500;
    facts.refused_forks = 1;
    const Failure failure = classify(facts, {}, {"sh: 1: Cannot fork"});
    CHECK(failure.kind == FailureClass::script_error);
    CHECK(failure.limits == "memory 1.0 MB of 67.1 MB at the most, pids 10, at which 1 was refused, cpu 1.5");
    facts.refused_forks = 4;
    CHECK(nearness(facts).find("at which 4 were refused") != std::string::npos);
    facts.refused_forks = 0;
    CHECK(nearness(facts).find("pids 10, cpu") != std::string::npos);
}
