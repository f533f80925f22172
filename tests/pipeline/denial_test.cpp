// What a build tells of the calls that its stages' filters denied: in the summary, the record, the run's events and
// log.
#include <chrono>

#include "sandbox/os/json.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using sandbox::os::Json;

namespace {

// A stage that runs the probe with these words, as one of a shell script.
std::string stage(std::string_view script, std::string_view more = "") {
    return std::string(
               "\n[stage.a]\nfrom = \"host\"\nin = { \"/in/probe\" = \"./probe\" }\nrun = [\"sh\", \"-c\", \"\"\"") +
           std::string(script) + "\"\"\"]\n" + std::string(more);
}

std::string file_of_run(const Workspace& workspace, const std::string& name) {
    return content_of(workspace.store() + "/v2/runs/" + workspace.names_in("runs").back() + "/" + name);
}

}  // namespace

TEST_CASE("a stage that fails tells what it was denied, and what would allow it", "[denial]") {
    const Workspace workspace;
    workspace.add_probe();
    workspace.pipeline(stage("/in/probe mount-tmpfs /proc; exit 1"));
    const Result failed = workspace.build();
    INFO(failed.err);
    CHECK(failed.code == 1);
    CHECK(says(failed, "  denied: mount(\"tmpfs\", \"/proc\", \"tmpfs\", 0x0, …) by probe (pid "));
    CHECK(says(failed, "allow it with allow-add = [\"mounts\"] in a profile that extends \"build\""));
    CHECK(file_of_run(workspace, "stagebox.log").find("stage a: denied: mount(\"tmpfs\"") != std::string::npos);
    CHECK(file_of_run(workspace, "events.jsonl").find("\"call\":\"mount\"") != std::string::npos);
    CHECK(has_clean_receipt(failed));
}

TEST_CASE("a stage that copes keeps its denials in its record, and the summary has a line of them", "[denial]") {
    const Workspace workspace;
    workspace.add_probe();
    workspace.pipeline(stage("/in/probe mount-tmpfs /proc; /in/probe mount-tmpfs /proc"));
    const Result built = workspace.build();
    INFO(built.err);
    CHECK(built.code == 0);
    CHECK(says(built, "denied in stage a, 8 times: "));
    const Json denials = workspace.record_of("a").at("denials");
    CHECK(denials.at("total") == 8);
    CHECK(denials.at("denials").at(0).at("process") == "probe");
    CHECK(denials.at("denials").at(0).at("executable") == "/in/probe");
    CHECK(denials.at("denials").at(0).at("count") == 2);
    // Read again, it is still there; nothing is denied to what does not run.
    const Result again = workspace.build();
    CHECK(states(again) == "a=cached");
    CHECK_FALSE(says(again, "denied"));
    CHECK(workspace.record_of("a").at("denials") == denials);
}

TEST_CASE("a stage that is denied nothing has nothing to tell", "[denial]") {
    const Workspace workspace;
    workspace.pipeline("\n[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    const Result built = workspace.build();
    CHECK(built.code == 0);
    CHECK_FALSE(says(built, "denied"));
    CHECK_FALSE(workspace.record_of("a").contains("denials"));
}

TEST_CASE("a flood of denials keeps neither the output nor the time limit waiting", "[denial]") {
    const Workspace workspace;
    workspace.add_probe();
    workspace.pipeline(
        stage("/in/probe deny-loop 0 6 & sleep 1; echo still here; wait", "limits = { time = \"3s\" }\n"));
    const Result flooded = workspace.build();
    INFO(flooded.err);
    CHECK(flooded.code == 1);
    CHECK(says(flooded, "still here"));
    CHECK(says(flooded, "its time limit of 3 s"));
    CHECK(says(flooded, "denied: mount(\"none\""));
    CHECK(has_clean_receipt(flooded));
}
