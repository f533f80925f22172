// How a run ends: exit codes, streams, signals, set-up errors; and that nothing outlives it.
#include <signal.h>

#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using namespace std::chrono_literals;

TEST_CASE("the exit code is the command's, 128 and the signal, or a shell's 126 and 127", "[ending]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    CHECK(probe(ids, {"exit", "0"}).code == 0);
    CHECK(probe(ids, {"exit", "7"}).code == 7);
    CHECK(probe(ids, {"exit", "255"}).code == 255);
    CHECK(probe(ids, {"kill-self", "9"}).code == 137);
    CHECK(probe(ids, {"kill-self", "15"}).code == 143);
    CHECK(probe(ids, {"kill-self", "6"}).code == 134);
    const Result missing = tests::jail::run(join({"--ids", ids}, bare()), {"/nothing"});
    CHECK(missing.code == 127);
    CHECK(missing.err.find("execute /nothing: No such file or directory") != std::string::npos);
    CHECK(tests::jail::run(join({"--ids", ids}, bare()), {"nothing-by-path"}).code == 127);
    CHECK(tests::jail::run(join({"--ids", ids}, bare()), {"/dev"}).code == 126);
    CHECK(tests::jail::run(join({"--ids", ids}, bare()), {"/proc/version"}).code == 126);
}

TEST_CASE("a jail that cannot be built is 125, in words", "[ending]") {
    const auto fails = [](const Words& options, const std::string& words) {
        const Result failed = tests::jail::run(join(bare(), options), {"/probe", "echo", "ran"});
        INFO(failed.err);
        CHECK(failed.code == 125);
        CHECK(failed.out.empty());
        CHECK(failed.err.find(words) != std::string::npos);
    };
    fails({"--ro-bind", "/does/not/exist", "/x"}, "/does/not/exist");
    fails({"--ro-bind", "/usr", "/usr", "--dir", "/usr/nothing-here"}, "read-only");
    fails({"--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/usr/nothing-here"}, "read-only");
    fails({"--ro-bind", "/usr", "/probe/x"}, "Not a directory");
    fails({"--chdir", "/nowhere"}, "enter the working directory /nowhere");
    fails({"--tmpfs", "relative"}, "is not an absolute path");
    fails({"--tmpfs", "/a/../b"}, "is not an absolute path without . and ..");
    fails({"--no-such-option"}, "--no-such-option is not an option of run");
    fails({"--ids", "many"}, "--ids takes single or range");
    fails({"--profile", "./no-such-profile.toml"}, "no-such-profile.toml");
    CHECK(tests::support::run({.argv = {stagebox_program(), "run"}}).code == 125);
    CHECK(tests::support::run({.argv = {stagebox_program(), "run", "--help"}}).code == 0);
}

TEST_CASE("a set-up error names the step and says what to do", "[ending]") {
    const Result failed = tests::jail::run(join(bare(), {"--ro-bind", "/usr", "/usr", "--tmpfs", "/usr/nothing-here"}),
                                           {"/probe", "exit", "0"});
    CHECK(failed.code == 125);
    CHECK(failed.err.find("mount tmpfs on /usr/nothing-here") != std::string::npos);
    CHECK(failed.err.find("  help: ") != std::string::npos);
}

TEST_CASE("standard input, output and error are the caller's", "[ending]") {
    Start start = start_of(with_programs(), {"sh", "-c", "cat; echo error >&2"});
    start.input = std::string(50000, 'x') + "\n";
    const Result through = tests::support::run(start);
    CHECK(through.code == 0);
    CHECK(through.out == start.input);
    CHECK(through.err == "error\n");
}

TEST_CASE("a signal to stagebox run reaches the payload", "[ending]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    SECTION("that dies of it") {
        Process process(start_of(join({"--ids", ids}, bare()), {"/probe", "sleep", "1000"}));
        process.wait_for("sleeping=");
        process.signal(SIGTERM);
        CHECK(process.finish(10s).code == 143);
    }
    SECTION("that handles it") {
        Process process(
            start_of(join({"--ids", ids}, with_programs()),
                     {"sh", "-c", "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done"}));
        process.wait_for("ready");
        process.signal(SIGINT);
        const Result ended = process.finish(10s);
        CHECK(ended.code == 5);
        CHECK(ended.out.find("caught") != std::string::npos);
    }
}

TEST_CASE("an orphan that left its session and ignores every signal ends with the payload",
          "[ending][threat][teardown]") {
    const std::string ids = GENERATE("single", "range");
    const std::string marker = unique_marker();
    const Result ended = probe(ids, {"orphan", "1000", marker});
    CHECK(ended.code == 0);
    CHECK(value_of(ended.out, "orphan") != "(no orphan)");
    CHECK(becomes_true([&] { return processes_with(marker).empty(); }, 1s));
}

TEST_CASE("a fork bomb ends with the payload", "[ending][threat][teardown]") {
    const std::string ids = GENERATE("single", "range");
    const std::string marker = unique_marker();
    const std::string bomb = "/probe forkbomb 300 " + marker + " >/tmp/said &\n";
    const Result ended = shell(ids, bomb + "until grep made=300 /tmp/said; do sleep 0.05; done; exit 4");
    CHECK(ended.code == 4);
    CHECK(ended.out == "made=300\n");
    CHECK(becomes_true([&] { return processes_with(marker).empty(); }, 1s));
}

TEST_CASE("kill -9 of stagebox run takes every process of the jail with it", "[ending][alone][threat][teardown]") {
    const std::string ids = GENERATE("single", "range");
    const std::string marker = unique_marker();
    Process process(start_of(join({"--ids", ids}, with_programs()),
                             {"sh", "-c", "/probe orphan 1000 " + marker + "; /probe sleep 1000 " + marker}));
    process.wait_for("sleeping=");
    CHECK(processes_with(marker).size() >= 3);
    process.signal(SIGKILL);
    CHECK(becomes_true([&] { return processes_with(marker).empty(); }, 1s));
    CHECK(process.finish(10s).code == -SIGKILL);
}
