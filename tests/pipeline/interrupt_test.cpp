// A build that is told to end.
#include <signal.h>

#include <catch2/catch.hpp>

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using namespace std::chrono_literals;

namespace {

// The first stage is quick, the second waits, the third would come after it.
void write_waiting(const Workspace& workspace, const std::string& script) {
    workspace.pipeline(sandbox::os::format(R"toml(
[stage.quick]
from = "host"
run = ["sh", "-c", "echo done > /out/x"]
out = {{ x = "x" }}
[stage.slow]
from = "host"
in = {{ "/in/x" = "quick.x" }}
run = ["sh", "-c", "{}"]
[stage.after]
from = "host"
in = {{ "/in/x" = "quick.x" }}
run = ["sleep", "1000"]
)toml", script));
}

}  // namespace

TEST_CASE("an interrupted build ends its stages and leaves nothing", "[interrupt]") {
    struct Case {
        int signal;
        int code;
    };
    const Case sent = GENERATE(values<Case>({{SIGINT, 130}, {SIGTERM, 143}, {SIGHUP, 129}}));
    INFO("signal " << sent.signal);
    const Workspace workspace;
    const std::string marker = unique_marker();
    write_waiting(workspace, "echo waiting; sleep 1000; : " + marker);
    Process build(workspace.command({"build", "-j", "1"}));
    build.wait_for("slow | waiting");
    build.signal(sent.signal);
    const Result ended = build.finish(8s);
    INFO(ended.err);
    CHECK(ended.code == sent.code);
    CHECK(states(ended) == "quick=built slow=failed after=skipped");
    CHECK(says(ended, "interrupted: the running stages are told to end"));
    CHECK(has_clean_receipt(ended));
    CHECK(processes_with(marker).empty());
    CHECK(is_at_rest(workspace));
    // An interrupted stage is no failed one, and what was done before it stays done.
    CHECK(workspace.names_in("failed").empty());
    CHECK_FALSE(workspace.record_of("quick").is_null());
}

TEST_CASE("a second signal ends at once what ignored the first", "[interrupt]") {
    const Workspace workspace;
    const std::string marker = unique_marker();
    write_waiting(workspace, "trap '' TERM INT HUP; echo waiting; while :; do sleep 1; done; : " + marker);
    Process build(workspace.command({"build", "-j", "1"}));
    build.wait_for("slow | waiting");
    build.signal(SIGINT);
    build.wait_for("interrupted");
    build.signal(SIGINT);
    const Result ended = build.finish(5s);
    CHECK(ended.code == 130);
    CHECK(has_clean_receipt(ended));
    CHECK(processes_with(marker).empty());
}

TEST_CASE("a stage can put things in order when it is told to end", "[interrupt]") {
    const Workspace workspace;
    write_waiting(workspace, "trap 'echo in order; exit 0' TERM; echo waiting; while :; do sleep 0.1; done");
    Process build(workspace.command({"build", "-j", "1"}));
    build.wait_for("slow | waiting");
    build.signal(SIGINT);
    const Result ended = build.finish(8s);
    CHECK(ended.code == 130);
    CHECK(says(ended, "in order"));
    // Even one that then says that all is well is not a result.
    CHECK(workspace.record_of("slow").is_null());
}
