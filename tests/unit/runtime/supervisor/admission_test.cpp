// Which stages run beside each other by what they used before, and what a ledger keeps of that.
#include "runtime/supervisor/admission.hpp"

#include <fcntl.h>

#include <filesystem>
#include <fstream>

#include "runtime/engine/stage_usage.hpp"
#include "sandbox/os/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using namespace runtime;
using namespace runtime::supervisor;
using runtime::engine::usage_of;
using runtime::jail::Traffic;

namespace {

constexpr std::uint64_t giga = 1'000'000'000;
constexpr Machine machine = {
    .processors = 4, .bytes_at_rest = 8 * giga, .bytes_now = 8 * giga, .free_disk = 100 * giga};

store::LedgerEntry entry(const std::string& result, double seconds, double cpu, std::uint64_t peak) {
    return {.run = "runs/x",
            .finished = "2026-01-01T00:00:00Z",
            .result = result,
            .usage = {.seconds = seconds, .cpu_seconds = cpu, .peak_bytes = peak},
            .made_bytes = 7};
}

}  // namespace

TEST_CASE("what is expected is the last run that ended well, within the limits", "[admission]") {
    CHECK(expected_of({}, {}) == Expected{});
    const std::vector<store::LedgerEntry> runs = {entry("built", 10, 10, 9 * giga), entry("built", 10, 25, 2 * giga),
                                                  entry("out-of-memory", 1, 1, 40 * giga)};
    CHECK(expected_of(runs, {}) == Expected{.processors = 2.5, .bytes = 2 * giga, .made_bytes = 7});
    sandbox::Limits limits;
    limits.memory = giga;
    limits.cpu = 500;
    CHECK(expected_of(runs, limits) == Expected{.processors = 0.5, .bytes = giga, .made_bytes = 7});
}

TEST_CASE("a stage waits for memory that those beside it are expected to need", "[admission]") {
    const Expected large = {.processors = 0.1, .bytes = 5 * giga};
    const Expected small = {.processors = 0.1, .bytes = 3 * giga};
    const Expected unknown = {};
    CHECK_FALSE(why_wait(large, {}, machine));
    const std::vector<Expected> one = {large};
    REQUIRE(why_wait(large, one, machine));
    CHECK(*why_wait(large, one, machine) ==
          "it is expected to need 5.0 GB of memory, and beside what runs there are 3.0 GB");
    CHECK_FALSE(why_wait(small, one, machine));
    const std::vector<Expected> full = {large, small};
    CHECK(why_wait(small, full, machine));
    CHECK_FALSE(why_wait(unknown, full, machine));
    // One that is larger than the machine runs alone.
    const Expected huge = {.bytes = 50 * giga};
    CHECK_FALSE(why_wait(huge, {}, machine));
    CHECK(why_wait(huge, std::vector<Expected>{unknown}, machine));
    const std::vector<Expected> beyond = {huge};
    CHECK(why_wait(small, beyond, machine));
    CHECK_FALSE(why_wait(unknown, beyond, machine));
    // Others have taken memory meanwhile.
    Machine crowded = machine;
    crowded.bytes_now = 2 * giga;
    CHECK(why_wait(small, std::vector<Expected>{unknown}, crowded));
}

TEST_CASE("a stage waits for processors, but is no wider than the machine", "[admission]") {
    const Expected wide = {.processors = 9};
    const Expected narrow = {.processors = 1};
    CHECK_FALSE(why_wait(wide, {}, machine));
    CHECK(why_wait(wide, std::vector<Expected>{narrow}, machine));
    CHECK_FALSE(why_wait(wide, std::vector<Expected>{{.processors = 0.5}}, machine));
    CHECK_FALSE(why_wait(narrow, std::vector<Expected>{narrow, narrow, narrow}, machine));
    CHECK_THAT(*why_wait(narrow, std::vector<Expected>{narrow, narrow, narrow, narrow}, machine),
               Catch::Contains("keep 1.0 processors busy, and what runs has 4.0 of 4"));
}

TEST_CASE("what will not fit is said with its figures", "[admission]") {
    CHECK(what_will_not_fit({}, machine).empty());
    CHECK(what_will_not_fit({.bytes = 8 * giga, .made_bytes = 100 * giga}, machine).empty());
    const auto said = what_will_not_fit({.bytes = 9 * giga, .made_bytes = 101 * giga}, machine);
    REQUIRE(said.size() == 2);
    CHECK(said[0] == "it used 9.0 GB of memory when it ran last, and 8.0 GB can be had now");
    CHECK(said[1] == "it made 101.0 GB when it ran last, and 100.0 GB are free where the store is");
}

TEST_CASE("usage is the cgroup's where there was one, else wait4's", "[admission]") {
    sandbox::Outcome outcome{sandbox::os::WaitStatus::exited(0), {}, {}};
    outcome.usage.ru_utime = {1, 500'000};
    outcome.usage.ru_stime = {0, 250'000};
    outcome.usage.ru_maxrss = 100;
    outcome.usage.ru_inblock = 2;
    outcome.usage.ru_oublock = 4;
    const store::Usage counted = usage_of(outcome, 3, Traffic{10, 20});
    CHECK(counted.cpu_seconds == 1.75);
    CHECK(counted.peak_bytes == 102'400);
    CHECK(counted.peak_of == store::PeakOf::largest_process);
    CHECK(counted.read_bytes == 1024);
    CHECK(counted.written_bytes == 2048);
    CHECK_FALSE(counted.processes);
    CHECK(counted.received_bytes == 10);
    CHECK(counted.sent_bytes == 20);

    outcome.counted = sandbox::CgroupUsage{.cpu_seconds = 2.0, .peak_bytes = 5000, .processes = 4};
    const store::Usage exact = usage_of(outcome, 3, {});
    CHECK(exact.cpu_seconds == 2.0);
    CHECK(exact.peak_bytes == 5000);
    CHECK(exact.peak_of == store::PeakOf::whole_jail);
    CHECK(exact.read_bytes == 1024);  // no controller counts it
    CHECK(exact.processes == 3);      // without init
    CHECK_FALSE(exact.received_bytes);
    // A kernel that does not keep the peak.
    outcome.counted->peak_bytes.reset();
    CHECK(usage_of(outcome, 3, {}).peak_of == store::PeakOf::largest_process);
}

TEST_CASE("the ledger keeps the runs of each stage, the last ones of many, and passes over half a line", "[ledger]") {
    const tests::TemporaryDirectory place;
    std::filesystem::create_directory(place.path() / "usage");
    const sandbox::os::Fd directory = sandbox::os::open_directory(AT_FDCWD, place.path());
    const store::Ledger ledger(directory.get());
    CHECK(ledger.entries("p", "a").empty());
    CHECK(ledger.stages().empty());
    store::LedgerEntry full = entry("built", 1.5, 0.5, 100);
    full.usage.peak_of = store::PeakOf::whole_jail;
    full.usage.processes = 3;
    full.usage.received_bytes = 4;
    full.usage.sent_bytes = 5;
    ledger.add("p", "a", full);
    ledger.add("p", "a", entry("network", 1, 1, 1));
    ledger.add("q", "b", entry("built", 1, 1, 1));
    const auto runs = ledger.entries("p", "a");
    REQUIRE(runs.size() == 2);
    CHECK(store::to_json(runs[0]) == store::to_json(full));
    CHECK(runs[1].result == "network");
    CHECK(ledger.stages() == std::vector<std::pair<std::string, std::string>>{{"p", "a"}, {"q", "b"}});

    std::ofstream(place.path() / "usage/p/a.jsonl", std::ios::app) << R"({"run": "runs/y", "fini)"
                                                                   << "\n";
    ledger.add("p", "a", entry("built", 2, 2, 2));
    CHECK(ledger.entries("p", "a").size() == 3);

    for (int i = 0; i < 2000; ++i) ledger.add("p", "a", entry("built", i, 1, 1));
    const auto many = ledger.entries("p", "a");
    CHECK(many.size() >= 200);
    CHECK(many.size() < 2000);
    CHECK(many.back().usage.seconds == 1999);
}
