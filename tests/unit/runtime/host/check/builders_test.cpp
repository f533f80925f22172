#include "runtime/host/check/builders.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/catch.hpp"
#include "tests/unit/machine.hpp"

using namespace runtime::host;
using tests::Machine;

namespace {

const OurPaths paths{.store = "/home/ann/store", .project = "/home/ann/project", .output = "/home/ann/out"};

// A machine on which this process and debootstrap run, in the same mount namespace.
void make_machine(const Machine& machine) {
    machine.process({.pid = 1}).process({.pid = 70, .parent = 1, .comm = "debootstrap"});
    machine.link("proc/self/ns/mnt", "mnt:[4026531841]");
    machine.link("proc/70/cwd", "/srv").link("proc/70/root", "/");
}

Finding only_finding(const Machine& machine) {
    const Findings findings = find_builders(machine.files(), read_processes(machine.files()), paths);
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].topic == "builder");
    return findings[0];
}

}  // namespace

TEST_CASE("a builder that touches nothing of ours is only told of", "[session][builders]") {
    const Machine machine;
    make_machine(machine);
    const Finding finding = only_finding(machine);
    CHECK(finding.severity == Severity::info);
    CHECK(finding.problem.what.find("debootstrap (process 70, uid ") == 0);
    CHECK(finding.problem.what.ends_with("builds, and touches nothing of this build"));
}

TEST_CASE("a builder with an open file in the store is harm, one in the project a warning", "[session][builders]") {
    const Machine machine;
    make_machine(machine);
    machine.link("proc/70/fd/3", "/home/ann/project/file");
    CHECK(only_finding(machine).severity == Severity::warning);
    machine.link("proc/70/fd/4", "/home/ann/store/v2/\n\xff");
    const Finding finding = only_finding(machine);
    CHECK(finding.severity == Severity::harm);
    INFO("a name cannot break the line that tells of it");
    CHECK(finding.problem.what.ends_with("holds /home/ann/store/v2/\\x0a\\xff, in the store"));
    CHECK(finding.problem.remedy == "wait for it to end: tail --pid=70 -f /dev/null");
    machine.link("proc/70/fd/4", "/home/ann/store2/v1");
    CHECK(only_finding(machine).severity == Severity::warning);
}

TEST_CASE("a builder in a mount namespace of its own is judged by its mounts", "[session][builders]") {
    const Machine machine;
    make_machine(machine);
    machine.link("proc/70/ns/mnt", "mnt:[4026532999]");
    machine.link("proc/70/cwd", "/home/ann/store");  // a path of another tree
    CHECK(only_finding(machine).severity == Severity::info);
    machine.file("proc/70/mountinfo", "40 27 254:1 /home/ann/store/v2/x /mnt rw - ext4 /dev/vda rw\n");
    CHECK(only_finding(machine).problem.what.ends_with("holds a mount of the store"));
    const auto severity_of = [&](const std::string& line) {
        machine.file("proc/70/mountinfo", "30 1 0:25 / / rw - overlay overlay rw\n" + line + "\n");
        return only_finding(machine).severity;
    };
    INFO("the store itself counts as what lies in it does");
    CHECK(severity_of("40 30 254:1 /home/ann/store /mnt rw shared:3 - ext4 /dev/vda rw") == Severity::harm);
    INFO("a name that only begins as the store's does is another directory");
    CHECK(severity_of("40 30 254:1 /home/ann/store2/v1 /mnt rw - ext4 /dev/vda rw") == Severity::info);
    INFO("layers of an overlay and a source are places too");
    CHECK(severity_of("40 30 0:40 / /mnt rw - overlay overlay rw,lowerdir=/usr:/home/ann/store/v2/x") ==
          Severity::harm);
    CHECK(severity_of("40 30 0:40 / /mnt rw - fuse.mergerfs /home/ann/store/v2 rw") == Severity::harm);
    CHECK(severity_of("40 30 0:40 / /mnt rw - overlay overlay rw,lowerdir=/usr:/home/ann/store2/x") == Severity::info);
    CHECK(severity_of("40 30 254:1 /home/ann/project /work rw - ext4 /dev/vda rw") == Severity::warning);
    CHECK(severity_of("40 30 254:1 /home/ann/out /out rw - ext4 /dev/vda rw") == Severity::warning);
}

TEST_CASE("a store whose name the kernel writes in octal is found in a builder's mounts", "[session][builders]") {
    const Machine machine;
    make_machine(machine);
    machine.link("proc/70/ns/mnt", "mnt:[4026532999]");
    machine.file("proc/70/mountinfo", "40 27 254:1 /home/ann/my\\040store/v2 /mnt rw - ext4 /dev/vda rw\n");
    const OurPaths blank{.store = "/home/ann/my store", .project = "/home/ann/project", .output = ""};
    const Findings findings = find_builders(machine.files(), read_processes(machine.files()), blank);
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].severity == Severity::harm);
}

TEST_CASE("what a builder of another user touches is not ours to see", "[session][builders]") {
    const Machine machine;
    make_machine(machine);
    std::vector<Process> processes = read_processes(machine.files());
    const Machine without;
    without.link("proc/self/ns/mnt", "mnt:[1]");
    const Findings findings = find_builders(without.files(), processes, paths);
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].problem.what.ends_with("builds; what it touches is not ours to see"));
}

TEST_CASE("a builder is one by its program's name as the kernel shortens it, and none in a jail of ours",
          "[session][builders]") {
    const Machine machine;
    const auto is_builder = [&](const char* name, pid_t parent) {
        const std::vector<Process> all{{.pid = 1, .comm = "init"},
                                       {.pid = 50, .parent = 1, .comm = "stagebox"},
                                       {.pid = 70, .parent = parent, .comm = name}};
        return !find_builders(machine.files(), all, paths).empty();
    };
    CHECK(is_builder("mmdebstrap", 1));
    CHECK(is_builder("lb_chroot_apt", 1));
    CHECK(is_builder("lb", 1));
    CHECK(is_builder("livecd-creator", 1));
    CHECK_FALSE(is_builder("lbx", 1));
    CHECK_FALSE(is_builder("", 1));
    CHECK_FALSE(is_builder("mmdebstrap", 50));
}

TEST_CASE("other builds of the same store are found by their locks", "[session][builders]") {
    const Machine machine;
    const std::string store = machine.root() + "/store";
    machine.file("store/lock", "");
    machine.file("store/locks/a", "process 70 (stage a of stagebox.toml)\n");
    machine.file("store/locks/b", "process 70 (stage b\n of x)");
    machine.file("store/locks/c", "process 99999999999 (nobody)");
    machine.file("store/locks/d", "\xff");
    struct stat lock = {};
    REQUIRE(::stat((store + "/lock").c_str(), &lock) == 0);
    const std::string place = "fe:00:" + std::to_string(lock.st_ino);
    const std::vector<Process> all{{.pid = 1, .comm = "init"}, {.pid = 70, .comm = "stagebox"}};
    machine.file("proc/locks", "1: FLOCK  ADVISORY  READ  70 " + place + " 0 EOF\n" + "2: POSIX  ADVISORY  WRITE 1 " +
                                   place + " 0 EOF\n" + "2: -> FLOCK  ADVISORY WRITE\n" +
                                   "\n\xff\n4: FLOCK ADVISORY READ 99999999999 " + place + " 0 EOF\n" +
                                   "5: FLOCK ADVISORY READ " + std::to_string(::getpid()) + " " + place + " 0 EOF\n" +
                                   "6: FLOCK  ADVISORY  READ  1 fe:00:1" + std::to_string(lock.st_ino) + " 0 EOF");
    const Findings findings = find_own_builds(machine.files(), all, store);
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].severity == Severity::info);
    CHECK(findings[0].problem.what.find("process 70 (stagebox) uses the same store, for ") == 0);
    CHECK(findings[0].problem.what.find("(stage a of stagebox.toml)") != std::string::npos);
    CHECK(findings[0].problem.what.find("(stage b\\x0a of x)") != std::string::npos);
    CHECK(find_own_builds(Machine().files(), all, store).empty());
    CHECK(find_own_builds(machine.files(), all, store + "/none").empty());
}
