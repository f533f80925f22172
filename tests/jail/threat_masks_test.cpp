// Roots that ship devices, terminals and a /proc of their own: what a jail masks with, mounts over and writes to are
// objects of the host, never things of that name in the root.
#include <linux/magic.h>

#include <filesystem>
#include <fstream>

#include "sandbox/os/format.hpp"
#include "tests/jail/hostile_root.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::format;
namespace fs = std::filesystem;

TEST_CASE("masks are the host's null device whatever the root calls /dev/null", "[threat][masks]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const HostileRoot root;
    fs::create_symlink("/proc/sys/kernel/core_pattern", root.path() + "/dev/null");
    int masked = 0;
    for (const char* path : {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug"}) {
        INFO(path);
        const Result seen = root.run(ids, {}, {"/probe", "stat", path});
        INFO(seen.err);
        REQUIRE(seen.code == 0);
        if (value_of(seen.out, "stat") == "ENOENT") continue;  // this kernel does not have it
        CHECK(value_of(seen.out, "type") == "character");
        CHECK(value_of(seen.out, "device") == "1:3");
        const std::string answer = value_of(root.run(ids, {}, {"/probe", "write", path, "x"}).out, "open");
        CHECK((answer == "EACCES" || answer == "EROFS"));
        ++masked;
    }
    CHECK(masked > 0);
    CHECK(root.canary().is_unchanged());
}

TEST_CASE("devices are the host's by number, whatever lies below the root's /dev", "[threat][masks]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const HostileRoot root;
    for (const char* name : {"full", "random", "console", "ptmx", "pts", "shm", "tty"}) {
        fs::create_symlink(root.canary().path() + "/directory", root.path() + "/dev/" + name);
    }
    fs::create_directory(root.path() + "/dev/null");
    for (const auto& [name, number] : {std::pair{"null", "1:3"}, {"zero", "1:5"}, {"full", "1:7"}, {"random", "1:8"}}) {
        INFO(name);
        const Result seen = root.run(ids, {}, {"/probe", "stat", format("/dev/{}", name)});
        CHECK(value_of(seen.out, "type") == "character");
        CHECK(value_of(seen.out, "device") == number);
    }
    CHECK(value_of(root.run(ids, {}, {"/probe", "stat", "/dev/shm"}).out, "type") == "directory");
    CHECK(value_of(root.run(ids, {}, {"/probe", "statfs", "/dev/pts"}).out, "statfs") ==
          format("0x{:x}", DEVPTS_SUPER_MAGIC));
    // The kernel's own, not a link into the root's.
    const Result ptmx = root.run(ids, {}, {"/probe", "stat", "/dev/ptmx"});
    CHECK((value_of(ptmx.out, "target") == "pts/ptmx" || value_of(ptmx.out, "device") == "5:2"));
    CHECK(root.canary().is_unchanged());
}

TEST_CASE("/proc is a procfs or there is no jail", "[threat][masks]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const HostileRoot root;
    SECTION("over a tree that looks like one") {
        fs::create_directories(root.path() + "/proc/sys/kernel");
        fs::create_directories(root.path() + "/proc/self");
        std::ofstream(root.path() + "/proc/sys/kernel/hostname") << "fake\n";
        fs::create_symlink("../../../canary", root.path() + "/proc/self/attr");
        fs::create_symlink("../../canary/file", root.path() + "/proc/kcore");
        const Result seen = root.run(ids, {}, {"/probe", "statfs", "/proc"});
        CHECK(value_of(seen.out, "statfs") == format("0x{:x}", PROC_SUPER_MAGIC));
        CHECK(root.run(ids, {}, {"/probe", "read", "/proc/sys/kernel/hostname"}).out == "stagebox\n");
    }
    SECTION("a file") {
        fs::remove(root.path() + "/proc");
        std::ofstream(root.path() + "/proc") << "file\n";
        const Result refused = root.run(ids, {}, {"/probe", "echo", "ran"});
        INFO(refused.err);
        CHECK(refused.code == 125);
        CHECK(refused.out.empty());
        CHECK(refused.err.find("/proc") != std::string::npos);
    }
    SECTION("a link to the host's") {
        root.replace("proc", "/proc");
        CHECK(root.run(ids, {}, {"/probe", "echo", "ran"}).code == 125);
    }
    CHECK(root.canary().is_unchanged());
}

TEST_CASE("no control group can be written, and none of the host's is named", "[threat][masks]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Result named = probe(ids, {"read", "/proc/self/cgroup"});
    CHECK(named.out.find("..") == std::string::npos);
    CHECK(named.out.find("0::/\n") != std::string::npos);
    for (const char* path : {"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/release_agent", "/sys/kernel/uevent_helper",
                             "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe"}) {
        INFO(path);
        // In the default root, which has a /sys.
        const Result written = tests::jail::run({"--ids", ids}, {"sh", "-c", format("echo x > {}", path)});
        CHECK(written.code != 0);
        INFO(written.err);
        CHECK((written.err.find("Read-only file system") != std::string::npos ||
               written.err.find("Permission denied") != std::string::npos ||
               written.err.find("nonexistent") != std::string::npos));
    }
}
