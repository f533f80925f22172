#include "runtime/host/unmount/holders.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/catch.hpp"
#include "tests/unit/machine.hpp"

using namespace runtime::host;
using sandbox::os::MountEntry;
using tests::Machine;
using Lines = std::vector<std::string>;

namespace {

// The mount that a path of this machine is on, which another machine's links lead to.
MountEntry mount_of(const std::string& path) {
    struct statx about = {};
    REQUIRE(::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &about) == 0);
    return {.id = static_cast<int>(about.stx_mnt_id), .target = path};
}

}  // namespace

TEST_CASE("who holds a mount is told with each way in which they do", "[session][unmount]") {
    const Machine machine;
    machine.file("tree/file", "");
    const std::string tree = machine.root() + "/tree";
    machine.process({.pid = 70, .comm = "sh"}).process({.pid = 71, .comm = "gone"});
    machine.link("proc/70/cwd", tree).link("proc/70/root", tree).link("proc/70/fd/3", tree + "/file");
    const Holds holds = read_holds(machine.files(), read_processes(machine.files()), {mount_of(tree)});
    REQUIRE(holds.holds.size() == 3);
    CHECK(holds.holds[0] == Hold{70, "sh", "cwd", tree, mount_of(tree).id, "", tree});
    CHECK(holds.holds[1].way == "root");
    CHECK(holds.holds[2].way == "fd 3");
    INFO("a process that has ended meanwhile holds nothing, and is not one that cannot be seen");
    CHECK(holds.unseen == 0);
    CHECK(describe(holds.holds) == std::vector<std::string>{"process 70 (sh): cwd " + plain(tree) + ", root " +
                                                            plain(tree) + ", fd 3 " + plain(tree + "/file")});
}

TEST_CASE("a mapped file holds its mount by its path where the mapping cannot be asked", "[session][unmount]") {
    const Machine machine;
    machine.process({.pid = 70, .comm = "sh"});
    machine.link("proc/self/ns/mnt", "mnt:[4026531841]").link("proc/70/cwd", "/proc");
    const MountEntry mount{.id = 1000000, .target = "/srv/a"};
    const auto ways = [&](std::string_view maps) {
        machine.file("proc/70/maps", maps);
        std::vector<std::string> found;
        for (const Hold& hold : read_holds(machine.files(), read_processes(machine.files()), {mount}).holds)
            found.push_back(hold.way + " " + hold.path);
        return found;
    };
    CHECK(ways("7f00-7f01 r-xp 00000000 fe:01 12 /srv/a/lib.so\n") == Lines{"map /srv/a/lib.so"});
    CHECK(ways("7f00-7f01 r-xp 00000000 fe:01 12 /srv/a/lib.so (deleted)\n7f02-7f03 r-xp 0 fe:01 12 /srv/a/b") ==
          Lines{"map /srv/a/lib.so (deleted)"});
    CHECK(ways("7f00-7f01 rw-p 00000000 00:00 0 [heap]\n\n\xff/srv/ab/x\n").empty());
    CHECK(ways("").empty());
    CHECK(ways(std::string(1 << 20, 'x') + "/srv/a/" + std::string(1 << 10, 'y') + "\n").size() == 1);
    machine.link("proc/70/ns/mnt", "mnt:[1]");
    INFO("in another mount namespace the path is another file's");
    CHECK(ways("7f00-7f01 r-xp 00000000 fe:01 12 /srv/a/lib.so\n").empty());
}

TEST_CASE("of many ways in which a process holds something, three are told", "[session][unmount]") {
    std::vector<Hold> holds;
    for (int i = 0; i < 5; ++i) holds.push_back({7, "a\nb", "fd " + std::to_string(i), "/x\x1b", 1});
    holds.push_back({8, "c", "cwd", "/y", 1});
    CHECK(describe(holds) ==
          std::vector<std::string>{"process 7 (a\\x0ab): fd 0 /x\\x1b, fd 1 /x\\x1b, fd 2 /x\\x1b, and 2 more",
                                   "process 8 (c): cwd /y"});
}

TEST_CASE("who holds a mount is seen by what they have there, mapped files too", "[session][unmount]") {
    const sandbox::os::HostFiles host;
    std::vector<sandbox::os::MountEntry> mounts = sandbox::os::read_mounts(host).mounts;
    std::erase_if(mounts, [](const auto& mount) { return mount.target != "/dev/shm"; });
    REQUIRE_FALSE(mounts.empty());
    std::vector<Process> self = read_processes(host);
    std::erase_if(self, [](const Process& process) { return process.pid != ::getpid(); });
    REQUIRE(self.size() == 1);
    const auto ways = [&] {
        std::vector<std::string> found;
        for (const Hold& hold : read_holds(host, self, mounts).holds) {
            CHECK(hold.pid == ::getpid());
            CHECK(hold.root == "/");
            CHECK(hold.mount == mounts.back().id);
            CHECK(hold.path.starts_with("/dev/shm/stagebox-test-"));
            found.push_back(hold.way);
        }
        return found;
    };
    CHECK(ways().empty());
    std::string name = "/dev/shm/stagebox-test-XXXXXX";
    sandbox::os::Fd file(::mkostemp(name.data(), O_CLOEXEC));
    REQUIRE(file);
    REQUIRE(::ftruncate(file.get(), 4096) == 0);
    CHECK(ways() == Lines{"fd " + std::to_string(file.get())});
    void* const memory = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 0);
    REQUIRE(memory != MAP_FAILED);
    file.reset();
    CHECK(ways() == Lines{"map"});
    ::unlink(name.c_str());
    CHECK(ways() == Lines{"map"});
    ::munmap(memory, 4096);
    CHECK(ways().empty());
}
