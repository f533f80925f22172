// A build is killed at every system call: its supervisor, its helpers, the inits of its jails. Within a second nothing
// is left of it, the store is whole, and the next build goes on from what was committed to the same result.
#include <signal.h>

#include <iostream>

#include "sandbox/os/format.hpp"
#include "tests/faults/disturbed_build.hpp"
#include "tests/support/catch.hpp"

#if defined(__x86_64__)
using namespace tests::faults;
using namespace tests::support;
using sandbox::os::format;

namespace {

struct Sweep {
    std::size_t points = 0;     // at which somebody was killed
    std::size_t not_met = 0;    // the order of two processes, or the host's processes, differed
    std::size_t survivors = 0;  // builds after which something was left, lost or wrong
    std::string wrong;
};

std::string wrong_with_end(const CallSite& site, const Traced& traced) {
    if (!traced.is_all_gone) return "a process is left after a second";
    if (site.process == 0) return traced.result.code == -SIGKILL ? "" : "it did not end by the signal";
    // A helper or a jail that is gone is a reason to fail, with words, or none.
    const int code = traced.result.code;
    if (code == 0) return {};
    if (code != 1 && code != 3) return format("its exit code is {}: {}", code, traced.result.err);
    return traced.result.err.empty() ? "it says nothing" : "";
}

void kill_at(const DisturbedBuild& build, const CallSite& site, Sweep& sweep) {
    std::string wrong;
    try {
        build.reset();
        const Traced traced = build.disturb({.site = site, .kind = FaultKind::kill_caller});
        ++(traced.is_met ? sweep.points : sweep.not_met);
        if (traced.is_met) wrong = wrong_with_end(site, traced);
        if (wrong.empty()) wrong = build.wrong_afterwards(traced.result.err);
    } catch (const std::exception& error) {
        wrong = error.what();
    }
    if (wrong.empty()) return;
    ++sweep.survivors;
    sweep.wrong += format("{}: {}\n", words_for(site), wrong);
}

std::vector<CallSite> calls_of(const std::vector<CallSite>& calls, bool (*is_of)(const CallSite&)) {
    std::vector<CallSite> found;
    for (const CallSite& call : calls) {
        if (is_of(call)) found.push_back(call);
    }
    return found;
}

bool is_supervisors(const CallSite& site) {
    return site.process == 0;
}
bool is_others(const CallSite& site) {
    return site.process != 0;
}

bool is_traceable() {
    if (can_trace()) return true;
    unavailable("tracing");
    return false;
}

void kill_at_some(bool (*is_of)(const CallSite&), std::size_t most) {
    if (!is_traceable()) return;
    const DisturbedBuild build;
    Sweep sweep;
    const auto sites = turns(calls_of(own_calls(build.undisturbed()), is_of));
    CHECK(sites.size() > 100);
    for (const CallSite& site : some_of(sites, most)) kill_at(build, site, sweep);
    INFO(sweep.wrong);
    CHECK(sweep.points > most / 2);
    CHECK(sweep.survivors == 0);
}

// The parts of scripts/full run these two, each in a PID namespace of its own: there the receipt's looks at the host's
// processes are few and always the same.
void kill_at_each(bool (*is_of)(const CallSite&)) {
    if (!is_traceable()) return;
    const DisturbedBuild build;
    Sweep sweep;
    const auto sites = calls_of(build.undisturbed().calls, is_of);
    std::cout << format("{} system calls, each one a build\n", sites.size()) << std::flush;
    for (const CallSite& site : sites) kill_at(build, site, sweep);
    std::cout << format("killed at {}, not met {}, survivors {}\n", sweep.points, sweep.not_met, sweep.survivors)
              << std::flush;
    INFO(sweep.wrong);
    CHECK(sweep.survivors == 0);
}

}  // namespace

TEST_CASE("the supervisor is killed at some of its calls: nothing is left or lost",
          "[faults][alone][threat][failclosed]") {
    kill_at_some(is_supervisors, 30);
}

TEST_CASE("helpers and inits are killed at some of their calls: nothing is left or lost",
          "[faults][alone][threat][failclosed]") {
    kill_at_some(is_others, 30);
}

TEST_CASE("the supervisor is killed at any call of a build, nothing is left or lost", "[.][full]") {
    kill_at_each(is_supervisors);
}

TEST_CASE("helpers and inits are killed at any call of a build, nothing is left or lost", "[.][full]") {
    kill_at_each(is_others);
}
#endif
