// Stages that fail: what is said, what goes on, and how to look at what they left.
#include <signal.h>

#include <chrono>
#include <filesystem>

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using namespace std::chrono_literals;

namespace {

std::string log_path_in(const Result& failed) {
    const std::size_t at = failed.err.find("  log: ");
    if (at == std::string::npos) return "(none)";
    return failed.err.substr(at + 7, failed.err.find('\n', at) - at - 7);
}

}  // namespace

TEST_CASE("a failed stage is told with its last lines, and the others go on", "[failure]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.bad]
from = "host"
run = ["sh", "-c", "i=1; while [ $i -le 30 ]; do echo line $i; i=$((i+1)); done; exit 9"]
[stage.other]
from = "host"
run = ["sh", "-c", "echo other > /out/x"]
out = { x = "x" }
[stage.more]
from = "host"
in = { "/in/x" = "other.x" }
run = ["cp", "/in/x", "/out/y"]
out = { y = "y" }
[stage.signal]
from = "host"
run = ["sh", "-c", "kill -SEGV $$"]
)toml");
    const Result failed = workspace.build();
    INFO(failed.err);
    CHECK(failed.code == 1);
    CHECK(states(failed) == "bad=failed other=built more=built signal=failed");
    CHECK(says(failed, "failed: stage bad: its command ended with exit code 9"));
    CHECK(says(failed, "failed: stage signal: its command was ended by signal 11 (Segmentation fault)"));
    CHECK(says(failed, "the last 20 lines of its output:\n    line 11\n"));
    CHECK(content_of(log_path_in(failed)).starts_with("line 1\nline 2\n"));
    CHECK(says(failed, "stagebox shell -f " + workspace.project() + "/stagebox.toml"));
    CHECK(has_clean_receipt(failed));
}

TEST_CASE("the command that is offered after a failure can be pasted into a shell", "[failure]") {
    const Workspace workspace;
    workspace.write("my pro'ject/stagebox.toml", R"toml(
version = 1
name = "pasted"
[vars]
flavour = "debug"
[stage.bad]
from = "host"
run = ["sh", "-c", "echo it is ${flavour}; exit 3"]
)toml");
    const std::string file = workspace.project() + "/my pro'ject/stagebox.toml";
    const Result failed = run({.argv = {stagebox_program(), "build", "-f", file, "--store", workspace.other_store(),
                                        "--var", "flavour=a release"}});
    INFO(failed.err);
    CHECK(failed.code == 1);
    CHECK(says(failed, "  command: sh -c 'echo it is a release; exit 3'\n"));
    const std::size_t at = failed.err.find("  retry:   stagebox ");
    REQUIRE(at != std::string::npos);
    const std::string words = failed.err.substr(at + 20, failed.err.find('\n', at) - at - 20);
    const Result again = run({.argv = {"/bin/sh", "-c", stagebox_program() + " " + words}});
    INFO(again.err);
    CHECK(again.code == 1);
    CHECK(says(again, "it is a release"));
}

TEST_CASE("what needs a failed stage is skipped", "[failure]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(R"toml(
[stage.bad]
from = "tools.root"
run = ["sh", "-c", "exit 1"]
[stage.next]
from = "bad"
run = ["true"]
[stage.last]
from = "next"
run = ["true"]
)toml"));
    const Result failed = workspace.build();
    CHECK(failed.code == 1);
    CHECK(states(failed) == "tools=built bad=failed next=skipped last=skipped");
}

TEST_CASE("shell --failed stands where the command left off", "[failure][shell]") {
    const Workspace workspace;
    workspace.write("input", "local\n");
    workspace.pipeline(with_tools(R"toml(
[stage.before]
from = "tools.root"
run = ["sh", "-c", "echo base > /base"]
[stage.bad]
from = "before"
in = { "/in/local" = "./input" }
env = { WORD = "shown" }
run = ["sh", "-c", "echo left > /left; rm /base; echo half > /out/half; exit 1"]
out = { whole = "whole" }
[stage.on-host]
from = "host"
run = ["sh", "-c", "echo half > /out/half; exit 1"]
)toml"));
    REQUIRE(workspace.build().code == 1);
    Start shell = workspace.command({"shell", "bad", "--failed"});
    shell.input = "cat /left /in/local /out/half; test -e /base || echo removed; echo $WORD; exit 3\n";
    const Result failed = run(shell);
    INFO(failed.err);
    CHECK(failed.code == 3);
    CHECK(failed.out == "left\nlocal\nhalf\nremoved\nshown\n");
    CHECK(says(failed, "stage bad, as its command left it"));

    shell = workspace.command({"shell", "on-host", "--failed"});
    shell.input = "cat /out/half\n";
    CHECK(run(shell).out == "half\n");

    // Before its command, and nothing that is done there stays.
    shell = workspace.command({"shell", "bad", "--before"});
    shell.input = "cat /base; test ! -e /left && echo clean; ls /out; echo x > /x; exit 4\n";
    for (int i = 0; i < 2; ++i) {
        const Result before = run(shell);
        INFO(before.err);
        CHECK(before.code == 4);
        CHECK(before.out == "base\nclean\n");
    }
    CHECK(is_at_rest(workspace));
    CHECK(workspace.record_of("bad").is_null());
}

TEST_CASE("shell --failed shows the failure of the variables that it is given", "[failure][shell]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[vars]
flavour = "debug"
[stage.bad]
from = "host"
run = ["sh", "-c", "echo ${flavour} > /out/made; exit 1"]
)toml");
    REQUIRE(workspace.build({"--var", "flavour=release"}).code == 1);
    REQUIRE(workspace.build().code == 1);
    const auto made = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"shell", "bad", "--failed"});
        Start shell = workspace.command(words);
        shell.input = "cat /out/made\n";
        return run(shell).out;
    };
    CHECK(made({"--var", "flavour=release"}) == "release\n");
    CHECK(made({}) == "debug\n");
    // Of what has not failed yet, the last failure there is.
    CHECK_FALSE(made({"--var", "flavour=other"}).empty());
}

TEST_CASE("shell says what it lacks", "[failure][shell]") {
    const Workspace workspace;
    workspace.pipeline(with_tools("[stage.a]\nfrom = \"tools.root\"\nrun = [\"true\"]\n"));
    const Result unbuilt = workspace.run({"shell", "a"});
    CHECK(unbuilt.code != 0);
    CHECK(says(unbuilt, "stage a needs the result of tools, which is not built"));
    const Result never_failed = workspace.run({"shell", "a", "--failed"});
    CHECK(never_failed.code != 0);
    CHECK(says(never_failed, "no failed run of stage a is kept"));
    CHECK(workspace.run({"shell", "nowhere"}).code == 2);
}

TEST_CASE("a failed stage is built again, and its remains go when it succeeds", "[failure]") {
    const Workspace workspace;
    workspace.write("answer", "1\n");
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
network = "host"
run = ["sh", "-c", "exit $(cat /out/missing 2>/dev/null || echo 1)"]
)toml");
    REQUIRE(workspace.build({"--allow", "host-network"}).code == 1);
    CHECK(state_of(workspace.build({"--allow", "host-network"}), "a") == "failed");
    CHECK(workspace.names_in("failed").size() == 1);
    CHECK(workspace.names_in("records").empty());
}

TEST_CASE("a stage ends at its time limit", "[failure]") {
    const Workspace workspace;
    const std::string marker = unique_marker();
    workspace.pipeline(sandbox::os::format(R"toml(
[stage.slow]
from = "host"
limits = {{ time = "1s" }}
run = ["sh", "-c", "echo begun; sleep 1000; : {}"]
[stage.quick]
from = "host"
limits = {{ time = "30s" }}
run = ["true"]
)toml",
                                           marker));
    const auto start = std::chrono::steady_clock::now();
    const Result failed = workspace.build();
    const auto passed = std::chrono::steady_clock::now() - start;
    INFO(failed.err);
    CHECK(failed.code == 1);
    CHECK(states(failed) == "slow=failed quick=built");
    CHECK(says(failed, "not done after its time limit of 1 s"));
    CHECK(passed >= 1s);
    CHECK(passed < 8s);
    CHECK(processes_with(marker).empty());
    CHECK(has_clean_receipt(failed));
}

TEST_CASE("a stage that cannot be executed is told as such", "[failure]") {
    const Workspace workspace;
    workspace.write("no-interpreter.sh", "#!/no/such/interpreter\n");
    workspace.pipeline(R"toml(
[stage.missing]
from = "empty"
run = ["nothing"]
[stage.script]
from = "host"
script = "no-interpreter.sh"
)toml");
    const Result failed = workspace.build();
    INFO(failed.err);
    CHECK(failed.code == 1);
    CHECK(says(failed, "execute nothing: No such file or directory"));
    CHECK(says(failed, "the interpreter its first line names"));
}

TEST_CASE("what a stage needs from the host is told with its package before any stage runs", "[failure]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.first]
from = "host"
run = ["true"]
[stage.second]
from = "host"
run = ["true"]
needs = { no-such-program = "no-such-package", "/no/such/file" = "other-package", sh = "dash" }
)toml");
    const Result failed = workspace.build();
    INFO(failed.err);
    CHECK(failed.code == 3);
    CHECK(says(failed, "stage second needs no-such-program, which this host does not have (package no-such-package)"));
    CHECK(says(failed, "stage second needs /no/such/file"));
    CHECK(says(failed, "sudo apt-get install no-such-package other-package"));
    CHECK_FALSE(says(failed, "starts"));
    // Of a stage that is not built, nothing is needed.
    CHECK(workspace.build({"first"}).code == 0);
}

TEST_CASE("a stage's output cannot steer the terminal", "[failure]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "printf 'one\\033]0;title\\007two\\rthree\\302\\23331mfour \\303\\244\\n'; exit 1"]
)toml");
    const Result failed = workspace.build();
    CHECK(failed.code == 1);
    CHECK(failed.err.find('\033') == std::string::npos);
    CHECK(failed.err.find('\a') == std::string::npos);
    CHECK(failed.err.find("\302\233") == std::string::npos);
    CHECK(says(failed, "four \303\244"));
    CHECK(content_of(log_path_in(failed)) == "one\033]0;title\atwo\rthree\302\23331mfour \303\244\n");
}
