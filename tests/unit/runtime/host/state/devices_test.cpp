#include "runtime/host/state/devices.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"

using namespace runtime::host;
using tests::Machine;

TEST_CASE("loop devices are those that have a file, by name", "[session][devices]") {
    const Machine machine;
    machine.file("sys/block/loop1/loop/backing_file", "/home/ann/disk.img\n");
    machine.file("sys/block/loop0/loop/backing_file", "/srv/old.img (deleted)\n");
    machine.file("sys/block/loop2/size", "0\n");  // free
    machine.file("sys/block/sda/size", "1000\n");
    CHECK(read_loops(machine.files()) ==
          std::vector<LoopDevice>{{"loop0", "/srv/old.img", true}, {"loop1", "/home/ann/disk.img", false}});
    const Table loops = observe_loops(machine.files());
    CHECK(loops.items.at("/dev/loop0").value == "/srv/old.img, deleted");
    CHECK(loops.items.at("/dev/loop1").facts.paths == std::vector<std::string>{"/home/ann/disk.img"});
}

TEST_CASE("a loop device's file may have any name that a file can have", "[session][devices]") {
    const Machine machine;
    machine.file("sys/block/loop0/loop/backing_file", "/tmp/two\nlines and \x1b[2J \xff\n");
    machine.file("sys/block/loop1/loop/backing_file", "\n");
    machine.file("sys/block/loop2/loop/backing_file", "");
    machine.file("sys/block/loop3/loop/backing_file", "/tmp/no newline at the end");
    const std::vector<LoopDevice> loops = read_loops(machine.files());
    REQUIRE(loops.size() == 4);
    INFO("only the one newline at the end is the kernel's, all others are of the name");
    CHECK(loops[0].backing == "/tmp/two\nlines and \x1b[2J \xff");
    CHECK(loops[1].backing.empty());
    CHECK(loops[2].backing.empty());
    CHECK(loops[3].backing == "/tmp/no newline at the end");
}

TEST_CASE("Ubuntu's snaps are loop devices like others", "[session][devices]") {
    const Machine machine;
    make_ubuntu_24_04(machine);
    CHECK(read_loops(machine.files()) ==
          std::vector<LoopDevice>{{"loop0", "/var/lib/snapd/snaps/core22_1621.snap", false}});
}

TEST_CASE("a machine without /sys has no devices, and that is no error", "[session][devices]") {
    const Machine machine;
    CHECK(read_loops(machine.files()).empty());
    CHECK(observe_loops(machine.files()).items.empty());
    CHECK(observe_mapper(machine.files()).items.empty());
}

TEST_CASE("a device of the mapper has the files of the loop devices that it stands on", "[session][devices]") {
    const Machine machine;
    // As sysfs has it: the devices are elsewhere, and block/ has links to them.
    machine.file("sys/devices/virtual/block/loop3/loop/backing_file", "/srv/disk\n");
    machine.file("sys/devices/virtual/block/loop3/loop3p1/partition", "1\n");
    machine.link("sys/block/loop3", "../devices/virtual/block/loop3");
    for (const char* name : {"dm-0", "dm-1"}) {
        machine.link(std::string("sys/block/") + name, std::string("../devices/virtual/block/") + name);
        machine.file(std::string("sys/devices/virtual/block/") + name + "/dm/name",
                     std::string("name of ") + name + "\n");
    }
    machine.link("sys/devices/virtual/block/dm-0/slaves/loop3p1", "../../loop3/loop3p1");
    machine.link("sys/devices/virtual/block/dm-1/slaves/dm-0", "../../dm-0");
    const Table mapper = observe_mapper(machine.files());
    REQUIRE(mapper.items.size() == 2);
    CHECK(mapper.items.at("/dev/dm-0").value == "name of dm-0");
    for (const char* name : {"/dev/dm-0", "/dev/dm-1"}) {
        INFO(name << " stands on the partition of a loop device, directly or by another");
        CHECK(mapper.items.at(name).facts.paths == std::vector<std::string>{"/srv/disk"});
    }
}

TEST_CASE("devices that stand on each other in a circle end the search", "[session][devices]") {
    const Machine machine;
    machine.file("sys/block/dm-0/dm/name", "a\n");
    machine.link("sys/block/dm-0/slaves/dm-0", "../../dm-0");
    CHECK(observe_mapper(machine.files()).items.at("/dev/dm-0").facts.paths.empty());
}
