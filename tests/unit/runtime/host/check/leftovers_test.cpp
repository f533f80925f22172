#include "runtime/host/check/leftovers.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"

using namespace runtime::host;
using sandbox::os::parse_mounts;
using tests::Machine;

TEST_CASE("two mounts of a system's in a directory make it a chroot, one does with a system's tree around it",
          "[session][leftovers]") {
    const Machine machine;
    const auto found = [&](const std::string& lines) {
        return find_leftovers(machine.files(), parse_mounts("20 1 254:0 / / rw - ext4 /dev/vda rw\n" + lines), {}, {});
    };
    const std::string proc = "40 20 0:60 / /srv/a/proc rw - proc proc rw\n";
    const std::string sys = "41 20 0:61 / /srv/a/sys rw - sysfs sysfs rw\n";
    CHECK(found(proc).empty());
    REQUIRE(found(proc + sys).size() == 1);
    CHECK(found(proc + sys)[0].severity == Severity::warning);
    CHECK(found(proc + sys)[0].problem.what == "/srv/a has 2 mounts of a chroot (/proc, /sys); no process is in it");
    machine.folder("srv/a/etc").folder("srv/a/usr");
    CHECK(found(proc).size() == 1);
    CHECK(found("40 20 0:60 / /proc rw - proc proc rw\n41 20 0:61 / /sys rw - sysfs sysfs rw\n").empty());
}

TEST_CASE("a chroot that a process is in is somebody's work", "[session][leftovers]") {
    const Machine machine;
    machine.process({.pid = 70, .parent = 1, .comm = "two\nlines"});
    machine.link("proc/70/root", "/srv/a");
    const auto mounts =
        parse_mounts("40 20 0:60 / /srv/a/proc rw - proc proc rw\n41 20 0:61 / /srv/a/sys rw - sysfs sysfs rw\n");
    const Findings findings = find_leftovers(machine.files(), mounts, {}, read_processes(machine.files()));
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].severity == Severity::info);
    CHECK(findings[0].problem.what.ends_with("in use by process 70 (two\\x0alines)"));
}

TEST_CASE("the mounts of other distributions leave nothing to complain of", "[session][leftovers]") {
    for (const auto make : {tests::make_debian_11, tests::make_ubuntu_24_04, tests::make_arch, tests::make_alpine,
                            tests::make_docker_container}) {
        const Machine machine;
        make(machine);
        const auto mounts = sandbox::os::read_mounts(machine.files());
        CAPTURE(mounts.text.substr(0, 200));
        CHECK(find_leftovers(machine.files(), mounts, read_loops(machine.files()), {}).empty());
    }
}

TEST_CASE("a loop device with a deleted file is told of, with what takes it away", "[session][leftovers]") {
    const auto mounts = parse_mounts("40 20 7:1 / /mnt/two\\012lines rw - ext4 /dev/loop1 rw\n");
    const Findings findings =
        find_leftovers(Machine().files(), mounts,
                       {{"loop0", "/srv/kept", false}, {"loop1", "/srv/a\x1b", true}, {"loop2", "/b", true}}, {});
    REQUIRE(findings.size() == 2);
    CHECK(findings[0].problem.what == "/dev/loop1 holds the deleted file /srv/a\\x1b, mounted on /mnt/two\\x0alines");
    CHECK(findings[1].problem.remedy == "sudo losetup --detach /dev/loop2");
}
