// A build that is told to end.
#include <signal.h>

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

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
)toml",
                                           script));
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
    CHECK(states(ended) == "quick=built slow=stopped after=skipped");
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

TEST_CASE("Ctrl-C, which goes to the whole process group, is one interruption", "[interrupt]") {
    const Workspace workspace;
    const std::string marker = unique_marker();
    SECTION("of a build") {
        write_waiting(workspace, "echo waiting; sleep 1000; : " + marker);
        Process build(workspace.command({"build", "-j", "1"}));
        build.wait_for("slow | waiting");
        build.signal_group(SIGINT);
        const Result ended = build.finish(8s);
        INFO(ended.err);
        CHECK(ended.code == 130);
        CHECK(states(ended) == "quick=built slow=stopped after=skipped");
        CHECK(has_clean_receipt(ended));
    }
    SECTION("of a shell") {
        workspace.pipeline("[stage.slow]\nfrom = \"host\"\nrun = [\"true\"]\n");
        Start start = workspace.command({"shell", "slow"});
        start.input = "echo waiting; sleep 1000; : " + marker + "\n";
        Process shell(start);
        shell.wait_for("waiting");
        shell.signal_group(SIGINT);
        const Result ended = shell.finish(8s);
        INFO(ended.err);
        CHECK(ended.code == 130);
        CHECK_FALSE(says(ended, "error:"));
    }
    CHECK(processes_with(marker).empty());
    CHECK(is_at_rest(workspace));
}

TEST_CASE("a build goes on when nobody reads its messages any more", "[interrupt]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.05; done; echo done > /out/x"]
out = { x = "x" }
)toml");
    Start start{.argv = {"/bin/sh", "-c", "\"$@\" 2>&1 | head -n 1; exit 0", "sh"}};
    const Start build = workspace.command({"build"});
    start.argv.insert(start.argv.end(), build.argv.begin(), build.argv.end());
    CHECK(run(start).code == 0);
    CHECK(becomes_true([&] { return processes_with(workspace.path()).empty(); }, 10s));
    CHECK_FALSE(workspace.record_of("a").is_null());
    CHECK(is_at_rest(workspace));
}
