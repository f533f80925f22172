// The ledger of a build, and what it is used for: which stages run beside each other, and what is said before one
// starts.
#include <filesystem>
#include <fstream>

#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
namespace fs = std::filesystem;
using sandbox::os::Json;

namespace {

std::size_t place_of(const Result& result, std::string_view text) {
    const std::size_t at = result.err.find(text);
    INFO(result.err);
    INFO(text);
    REQUIRE(at != std::string::npos);
    return at;
}

Json usage_of(const Workspace& workspace, const std::string& stage) {
    const Result listed =
        run({.argv = {stagebox_program(), "log", "--usage", stage, "--json", "--store", workspace.store()}});
    INFO(listed.err);
    REQUIRE(listed.code == 0);
    return Json::parse(listed.out);
}

std::string pipeline_name(const Workspace& workspace) {
    for (const fs::directory_entry& entry : fs::directory_iterator(workspace.store() + "/v2/usage")) {
        return entry.path().filename();
    }
    return {};
}

// As if the stage had run here before, and used so much.
void remember(const Workspace& workspace, const std::string& stage, std::uint64_t peak, double processors,
              std::uint64_t made) {
    const Json entry = {{"run", "runs/before"},
                        {"finished", "2026-01-01T00:00:00Z"},
                        {"result", "built"},
                        {"usage", {{"seconds", 10.0}, {"cpu_seconds", processors * 10}, {"peak_bytes", peak}}},
                        {"made_bytes", made}};
    const std::string place = workspace.store() + "/v2/usage/" + pipeline_name(workspace);
    std::ofstream(place + "/" + stage + ".jsonl", std::ios::app) << entry.dump() << "\n";
}

constexpr std::string_view three = R"toml(
[stage.one]
from = "host"
run = ["sh", "-c", "sleep 0.7; echo 1"]
[stage.two]
from = "host"
run = ["sh", "-c", "sleep 0.7; echo 2"]
[stage.three]
from = "host"
run = ["sh", "-c", "sleep 0.1; echo 3"]
)toml";

}  // namespace

TEST_CASE("each run of a stage is in the ledger, with what it used, also one that failed", "[usage]") {
    const Workspace workspace;
    const auto pipeline = [&](const char* end) {
        workspace.pipeline(
            std::string("[stage.busy]\nfrom = \"host\"\nout = { file = \"file\" }\nrun = [\"sh\", \"-c\", "
                        "\"head -c 3000000 /dev/zero > /out/file; i=0; while [ $i -lt 200000 ]; do "
                        "i=$((i+1)); done; ") +
            end + "\"]\n");
    };
    pipeline("true");
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(says(built, "usage: "));
    pipeline("exit 3");
    CHECK(workspace.build().code == 1);
    // From the store: nothing has run.
    pipeline("true");
    const Result cached = workspace.build();
    CHECK(state_of(cached, "busy") == "cached");
    CHECK_FALSE(says(cached, "usage: "));

    const Json listed = usage_of(workspace, "busy");
    REQUIRE(listed.size() == 1);
    const Json& runs = listed.at(0).at("runs");
    REQUIRE(runs.size() == 2);
    CHECK(runs.at(0).at("result") == "built");
    CHECK(runs.at(1).at("result") == "script-error");
    const Json& usage = runs.at(0).at("usage");
    CHECK(usage == workspace.record_of("busy").at("usage"));
    CHECK(usage.at("cpu_seconds") > 0.02);
    CHECK(usage.at("seconds") >= usage.at("cpu_seconds"));
    CHECK(usage.at("peak_bytes") > 500'000);
    CHECK(runs.at(0).at("made_bytes") == 3'000'000);

    const Result table = run({.argv = {stagebox_program(), "log", "--usage", "--store", workspace.store()}});
    CHECK(table.code == 0);
    CHECK(table.out.starts_with("stage "));
    CHECK(table.out.find("/busy") != std::string::npos);
    CHECK(table.out.find("script-error") != std::string::npos);
    CHECK(table.out.find('%') != std::string::npos);  // compared with the run before
    CHECK(run({.argv = {stagebox_program(), "log", "--usage", "nobody", "--store", workspace.store()}}).code == 1);

    // The run's own events.
    std::string events;
    for (const fs::directory_entry& entry : fs::directory_iterator(workspace.store() + "/v2/runs")) {
        events += content_of(entry.path() / "events.jsonl");
    }
    CHECK(events.find("\"event\":\"usage\"") != std::string::npos);
    CHECK(events.find("\"counted_by\":") != std::string::npos);
}

TEST_CASE("stages that need more memory together than there is run one after the other", "[usage][admission]") {
    const Workspace workspace;
    workspace.pipeline(three);
    REQUIRE(workspace.build({"--jobs", "1"}).code == 0);
    for (const char* stage : {"one", "two", "three"}) workspace.forget(stage);
    // Without a past they run side by side.
    const Result beside = workspace.build({"--jobs", "3"});
    CHECK(place_of(beside, "two | starts") < place_of(beside, "one | done"));

    for (const char* stage : {"one", "two", "three"}) workspace.forget(stage);
    constexpr std::uint64_t more_than_any = std::uint64_t{1} << 50U;
    remember(workspace, "one", more_than_any, 0.1, 1);
    remember(workspace, "two", more_than_any, 0.1, 1);
    remember(workspace, "three", 1000, 0.1, 1);
    const Result turns = workspace.build({"--jobs", "3"});
    INFO(turns.err);
    CHECK(turns.code == 0);
    CHECK(states(turns) == "one=built two=built three=built");
    CHECK(place_of(turns, "one | done") < place_of(turns, "two | starts"));
    // Nothing is left beside it, not even for a small one.
    CHECK(place_of(turns, "one | done") < place_of(turns, "three | starts"));
    CHECK(says(turns, "two | waits: it is expected to need 1125.9 TB of memory"));
    // One that does not fit is said, and runs all the same.
    CHECK(place_of(turns, "stage one may not fit: it used 1125.9 TB of memory when it ran last") <
          place_of(turns, "one | starts"));
}

TEST_CASE("stages that keep the processors busy wait for each other, and others go before them", "[usage][admission]") {
    const Workspace workspace;
    workspace.pipeline(three);
    REQUIRE(workspace.build({"--jobs", "1"}).code == 0);
    for (const char* stage : {"one", "two", "three"}) workspace.forget(stage);
    remember(workspace, "one", 1000, 1000, 1);
    remember(workspace, "two", 1000, 1000, 1);
    remember(workspace, "three", 1000, 0.01, std::uint64_t{1} << 60U);
    const Result turns = workspace.build({"--jobs", "3"});
    INFO(turns.err);
    CHECK(turns.code == 0);
    CHECK(place_of(turns, "one | done") < place_of(turns, "two | starts"));
    CHECK(place_of(turns, "three | starts") < place_of(turns, "one | done"));
    CHECK(says(turns, "processors busy"));
    CHECK(says(turns, "warning: stage three may not fit: it made 1152921.5 TB when it ran last, and "));
}

TEST_CASE("limits without a cgroup, where less will do: said, and kept as far as they are", "[usage][limits]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
limits = { memory = "64M", cpu = 2, fallback = "rlimits" }
run = ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=1 || echo too much"]
)toml");
    Start start = workspace.command({"build"});
    start.env["STAGEBOX_CGROUP"] = "/proc";
    const Result built = run(start);
    INFO(built.err);
    CHECK(built.code == 0);
    CHECK(says(built, "stage a has no cgroup for its limits: memory by RLIMIT_DATA, for each process, cpu not at all"));
    CHECK(says(built, "a | too much"));
    CHECK(says(built, "in one process"));
    CHECK(says(built, "; no cgroups: STAGEBOX_CGROUP is /proc"));
}
