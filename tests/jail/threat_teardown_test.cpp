// Payloads that make their own end hard: what they leave is theirs, what they do to mount points reaches nobody, and
// they are gone when the runner says so.
#include <signal.h>

#include <filesystem>

#include "sandbox/os/format.hpp"
#include "tests/jail/hostile_root.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using namespace std::chrono_literals;
using sandbox::os::format;
namespace fs = std::filesystem;

TEST_CASE("a mount point that the payload replaces by a link leads nobody out", "[threat][teardown]") {
    const std::string ids = GENERATE("single", "range");
    const HostileRoot root;
    for (int round = 0; round < 20; ++round) {
        INFO(ids << " round " << round);
        for (const char* name : {"run", "tmp", "other"}) {
            fs::remove_all(root.path() + "/" + name);
            fs::create_directory(root.path() + "/" + name);
            fs::permissions(root.path() + "/" + name, fs::perms::all);
        }
        const std::string script = format(
            "mv /run /moved; ln -s {0} /run; mkdir -p /tmp/a && chmod 000 /tmp/a; rmdir /other && ln -s {0} /other; "
            "exit 5",
            root.canary().path());
        const Result ran = root.run(ids,
                                    {"--ro-bind", "/usr", "/usr", "--ro-bind", "/usr/lib", "/lib", "--ro-bind",
                                     "/usr/lib64", "/lib64", "--tmpfs", "/other/below"},
                                    {"/usr/bin/sh", "-c", script});
        INFO(ran.err);
        CHECK(ran.code == 5);
        CHECK(root.canary().is_unchanged());
        CHECK(mounts_with(root.path()).empty());
        fs::remove_all(root.path() + "/moved");
    }
}

TEST_CASE("processes that fork on, ignore signals and hold files open end with the payload", "[threat][teardown]") {
    const std::string ids = GENERATE("single", "range");
    const std::string marker = unique_marker();
    const std::string script = format(
        "trap '' HUP INT QUIT TERM TSTP; for i in 1 2 3 4 5 6 7 8; do (/probe orphan 60; : {0}) & done; "
        "exec 9</usr/bin/env; setsid sh -c 'trap \"\" TERM; while :; do sleep 60 & wait; done' {0} & "
        "sleep 0.2; exit 6",
        marker);
    const Result ran = tests::jail::run(join({"--ids", ids}, with_programs()), {"sh", "-c", script, marker});
    INFO(ids << ran.err);
    CHECK(ran.code == 6);
    // The runner has ended: so has everything else, with nothing to wait for.
    CHECK(processes_with(marker).empty());
}

TEST_CASE("a payload that forks without end is gone when its runner is killed", "[threat][teardown][alone]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const std::string marker = unique_marker();
    // Each process makes the next and ends, so that none of them lives long enough to be found and killed.
    const std::string script = "f() { (f \"$@\") & exit; }; echo begun; (f) & sleep 60";
    Process jail(start_of(join({"--ids", ids}, with_programs()), {"sh", "-c", script, marker}));
    jail.wait_for("begun");
    jail.signal(SIGKILL);
    CHECK(becomes_true([&] { return processes_with(marker).empty(); }, 2s));
    CHECK(jail.finish().code == -SIGKILL);
}
