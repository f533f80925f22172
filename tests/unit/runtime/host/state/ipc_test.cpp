#include "runtime/host/state/ipc.hpp"

#include <unistd.h>

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"

using namespace runtime::host;
using tests::Machine;

namespace {

// proc_sysvipc(5) of Linux 6.1.
constexpr const char* shm_head =
    "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      "
    "dtime      "
    "ctime                   rss                  swap\n";
constexpr const char* sem_head =
    "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";

}  // namespace

TEST_CASE("System V objects are read by the headings of their columns", "[session][ipc]") {
    const Machine machine;
    machine.file("proc/sysvipc/shm",
                 std::string(shm_head) +
                     "         0          7  1600                524288  4711  4712      2  1000  1000  1001  1001 "
                     "1700000000 1700000000 1700000000                  4096                     0\n");
    machine.file("proc/sysvipc/sem",
                 std::string(sem_head) +
                     "1627389952          3   600          1  1000  1000     0     0 1700000000 1700000000\n");
    const Table table = observe_ipc(machine.files(), {});
    REQUIRE(table.items.size() == 2);
    const Item& memory = table.items.at("shm 7");
    CHECK(memory.value == "owner 1000");
    CHECK(memory.facts.uid == 1001U);
    CHECK(memory.facts.pid == 4711);
    const Item& semaphore = table.items.at("sem 3");
    CHECK(semaphore.facts.uid == 0U);
    CHECK(semaphore.facts.pid == 0);
}

TEST_CASE("columns of another order, and new ones at the end, are understood", "[session][ipc]") {
    const Machine machine;
    machine.file("proc/sysvipc/msg", "cuid msqid uid new\n1005 9 1004 x\n");
    CHECK(observe_ipc(machine.files(), {}).items.at("msg 9") == Item{"owner 1004", {.uid = 1005}});
}

TEST_CASE("what is no number is no owner, and above all not root", "[session][ipc]") {
    const Machine machine;
    const auto only = [&](std::string_view row) {
        machine.file("proc/sysvipc/sem", "semid uid cuid cpid\n" + std::string(row));
        const Table table = observe_ipc(machine.files(), {});
        return table.items.empty() ? Item{"nothing", {}} : table.items.begin()->second;
    };
    INFO("numbers past 32 bits must not wrap around");
    CHECK(only("1 4294967296 4294968296 7\n") == Item{"owner unknown", {.pid = 7}});
    CHECK(only("1 -1 -1 99999999999999999999\n") == Item{"owner unknown", {}});
    CHECK(only("1 x y z\n") == Item{"owner unknown", {}});
    CHECK(only("1\n") == Item{"owner unknown", {}});
    CHECK(only("1 5 6 7") == Item{"owner 5", {.uid = 6, .pid = 7}});
    CHECK(only("1 5 6 7\r\n").facts.uid == 6U);
    CHECK(only("\n\n").value == "nothing");
    CHECK(only(std::string(1 << 20, 'x') + "\n").value == "owner unknown");
    machine.file("proc/sysvipc/sem", std::string("\0\0\n\xff\xfe\n", 6));
    CHECK(observe_ipc(machine.files(), {}).items.empty());
}

TEST_CASE("POSIX shared memory and queues are files, with any names that files can have", "[session][ipc]") {
    const Machine machine;
    machine.file("dev/shm/two\nlines \xff", "");
    machine.file("mnt/queues/q", "");
    sandbox::os::MountTable mounts;
    mounts.mounts.push_back({.target = "/mnt/queues", .fstype = "mqueue"});
    mounts.mounts.push_back({.target = "/nowhere", .fstype = "mqueue"});
    mounts.mounts.push_back({.target = "/dev", .fstype = "tmpfs"});
    const Table table = observe_ipc(machine.files(), mounts);
    REQUIRE(table.items.size() == 2);
    CHECK(table.items.at("/dev/shm/two\nlines \xff").facts.uid == ::geteuid());
    CHECK(table.items.contains("/mnt/queues/q"));
}

TEST_CASE("a kernel without System V objects has none", "[session][ipc]") {
    const Machine machine;
    const Table table = observe_ipc(machine.files(), {});
    CHECK(table.items.empty());
    CHECK(table.unreadable.empty());
}
