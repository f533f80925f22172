// kill -9 of the supervisor at any moment: within a second nothing of it is on the host, and the next build
// goes on from the last committed stage to the same result, bit for bit.
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <chrono>
#include <map>

#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/host.hpp"
#include "tests/support/workspace.hpp"

using namespace tests::support;
using namespace std::chrono_literals;
using sandbox::os::format;
using sandbox::os::Json;

namespace {

constexpr int rounds = 20;

// A layer with owners, links and a few hundred files; an artifact; a stage on the host's root. About half a
// second each to run and to seal, so that a random moment finds every phase.
void write_pipeline(const Workspace& workspace, const std::string& marker) {
    workspace.pipeline(std::string(tools_stage) + format(R"toml(
[defaults]
env = {{ SOURCE_DATE_EPOCH = "1600000000" }}
[stage.first]
from = "tools.root"
run = ["sh", "-c", "mkdir /d; i=0; while [ $i -lt 300 ]; do echo $i > /d/$i; i=$((i+1)); done; chown -R 7:8 /d; chmod 700 /d; : {0}"]
[stage.second]
from = "first"
run = ["sh", "-c", "sleep 0.1; rm /d/1*; ln /d/2 /d/two; mkdir /out/tree; cp /d/* /out/tree; sleep 0.1; : {0}"]
out = {{ tree = "tree" }}
[stage.third]
from = "host"
in = {{ "/in/tree" = "second.tree" }}
run = ["sh", "-c", "cat /in/tree/* > /out/all; sleep 0.1; : {0}"]
out = {{ all = "all" }}
)toml",
                                                         marker));
}

// What a stage made, by digest: its layer, its artifacts, its root.
std::string made_by(const Json& record) {
    if (record.is_null()) return "nothing";
    std::string text = record.at("tree").get<std::string>();
    if (record.contains("layer")) text += " " + record.at("layer").at("id").get<std::string>();
    for (const auto& [name, object] : record.at("artifacts").items()) text += " " + object.at("id").get<std::string>();
    return text;
}

std::map<std::string, std::string> results_of(const Workspace& workspace) {
    std::map<std::string, std::string> results;
    for (const char* stage : {"tools", "first", "second", "third"})
        results[stage] = made_by(workspace.record_of(stage));
    return results;
}

std::chrono::microseconds random_moment(std::chrono::microseconds longest) {
    std::uint32_t number = 0;
    static_cast<void>(::getrandom(&number, sizeof number, 0));
    return std::chrono::microseconds(number % static_cast<std::uint32_t>(longest.count()));
}

}  // namespace

TEST_CASE("kill -9 of the supervisor leaves nothing, and the next build goes on",
          "[faults][alone][threat][failclosed]") {
    const Workspace workspace;
    const std::string marker = unique_marker();
    write_pipeline(workspace, marker);
    const auto before = std::chrono::steady_clock::now();
    REQUIRE(workspace.build().code == 0);
    const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - before);
    const auto undisturbed = results_of(workspace);

    for (int round = 0; round < rounds; ++round) {
        for (const char* stage : {"first", "second", "third"}) workspace.forget(stage);
        // Every second round begins with an empty store but for the first stage, the others find old layers.
        if (round % 2 == 0) run({.argv = {stagebox_program(), "store", "gc", "--store", workspace.store()}});
        // The first rounds right at the start, the others anywhere.
        const auto moment = random_moment(round < 5 ? std::chrono::microseconds(50ms) : whole);
        INFO(format("round {}, killed after {} us", round, moment.count()));
        Process build(workspace.command({"build"}));
        ::usleep(static_cast<useconds_t>(moment.count()));
        build.signal(SIGKILL);
        // By what all of them have on their command lines: the payloads the marker, the rest the place of the
        // store.
        CHECK(becomes_true([&] { return processes_with(marker).empty() && processes_with(workspace.path()).empty(); },
                           1s));
        CHECK(mounts_with(workspace.path()).empty());
        static_cast<void>(build.finish());

        std::map<std::string, std::string> committed = results_of(workspace);
        const Result next = workspace.build();
        INFO(next.err);
        REQUIRE(next.code == 0);
        CHECK(has_clean_receipt(next));
        CHECK(results_of(workspace) == undisturbed);
        for (const auto& [stage, result] : committed) {
            INFO(stage);
            CHECK(state_of(next, stage) == (result == "nothing" ? "built" : "cached"));
        }
        CHECK(workspace.names_in("staging").empty());
        CHECK(workspace.names_in("trash").empty());
        CHECK(workspace.names_in("locks").empty());
    }
}
