#include "runtime/host/check/session_check.hpp"

#include <algorithm>

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"

using namespace runtime::host;
using tests::Machine;

TEST_CASE("a look at another machine finds what others left there, the worst first", "[session]") {
    const Machine machine;
    make_ubuntu_24_04(machine);
    machine.file("sys/block/loop0/loop/backing_file", "/var/lib/snapd/snaps/core22_1621.snap (deleted)\n");
    machine.process({.pid = 70, .parent = 1, .comm = "debootstrap"});
    machine.link("proc/self/ns/mnt", "mnt:[4026531841]").link("proc/70/fd/3", "/home/ann/store/x");
    const sandbox::os::HostFiles host = machine.files();
    const auto mounts = sandbox::os::read_mounts(host);
    const auto processes = read_processes(host);
    const Findings findings =
        check_host({host, mounts, processes}, {.store = "/home/ann/store", .project = {}, .output = {}});
    REQUIRE(findings.size() >= 2);
    CHECK(has_harm(findings));
    CHECK(findings[0].severity == Severity::harm);
    const auto is_told = [&](const std::string& text) {
        return std::any_of(findings.begin(), findings.end(),
                           [&](const Finding& one) { return one.problem.what.find(text) != std::string::npos; });
    };
    CHECK(is_told("debootstrap (process 70"));
    CHECK(is_told(
        "/dev/loop0 holds the deleted file /var/lib/snapd/snaps/core22_1621.snap, mounted on /snap/core22/1621"));
}

TEST_CASE("a finding has its severity, topic and text on one line, and the remedy below", "[session]") {
    CHECK(to_text({Severity::warning, "leftover", "x", "do y"}) == "warning: leftover: x\n  help: do y");
    CHECK(to_text({Severity::info, "builder", "x"}) == "info: builder: x");
    const Findings findings{{Severity::harm, "space", "full", "gc"}};
    CHECK(to_json({SessionKind::ssh, "SSH_TTY is set"}, findings).dump() ==
          R"({"session":{"kind":"ssh","why":"SSH_TTY is set"},"safe":false,)"
          R"("findings":[{"severity":"harm","topic":"space","text":"full","remedy":"gc"}]})");
    CHECK(to_json({}, {}).at("safe") == true);
}
