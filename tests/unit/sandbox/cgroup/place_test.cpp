#include "sandbox/cgroup/place.hpp"

#include <linux/magic.h>

#include <map>

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"

using namespace sandbox;
using tests::Machine;

namespace {

// The file systems of a machine's /sys/fs/cgroup: the rest is not there.
std::string mount_among(const std::map<std::string, long>& types) {
    return find_cgroup_mount([&](const char* path) {
        const auto found = types.find(path);
        return found == types.end() ? 0L : found->second;
    });
}

}  // namespace

TEST_CASE("a process's cgroup is that of version 2, also beside version 1", "[cgroup]") {
    CHECK(unified_cgroup("0::/user.slice/user-1000.slice/session-3.scope\n") ==
          "/user.slice/user-1000.slice/session-3.scope");
    CHECK(unified_cgroup("9:memory:/a\n1:name=systemd:/b\n0::/c\n") == "/c");
    CHECK(unified_cgroup("0::/") == "/");
    CHECK(unified_cgroup("9:memory:/a\n1:name=systemd:/b\n").empty());
    CHECK(unified_cgroup("").empty());
    INFO("only at the beginning of a line");
    CHECK(unified_cgroup("2:cpu:/0::/x\n").empty());
    CHECK(unified_cgroup("10::/x\n").empty());
    INFO("a path is what is in the line: other bytes are of the name");
    CHECK(unified_cgroup("0::/a b\r\n") == "/a b\r");
    CHECK(unified_cgroup("0::/\xff\\x2d:x\n") == "/\xff\\x2d:x");
    CHECK(unified_cgroup("0::" + std::string(1 << 20, 'x') + "\n").size() == 1U << 20U);
}

TEST_CASE("the cgroup of a process on other machines", "[cgroup]") {
    const Machine machine;
    machine.process({.pid = 7, .cgroup = "0::/../sibling\n"});
    CHECK(cgroup_of(machine.files(), 7) == "/../sibling");
    INFO("a process that has ended is in none");
    CHECK(cgroup_of(machine.files(), 8).empty());
}

TEST_CASE("a process's parent is known by the field behind its name", "[cgroup]") {
    const auto parent = [](std::string_view line) {
        const Machine machine;
        machine.folder("proc/7").file("proc/7/stat", line);
        return parent_of(machine.files(), 7);
    };
    CHECK(parent("7 (sh) S 5 7 7 0 -1\n") == 5);
    CHECK(parent("7 (a) S 9 (b) S 5 7 7") == 5);
    for (const char* line : {"", "7", "7 (sh)", "7 (sh) ", "7 (sh) S", "7 (sh) S ", "7 (sh) S x 7", "7 (sh) S -5 7",
                             "7 (sh) S 4294967301 7", "7 (sh) S 99999999999999999999 7"}) {
        CAPTURE(line);
        CHECK(parent(line) == 0);
    }
    const Machine empty;
    empty.folder("proc");
    CHECK(parent_of(empty.files(), 7) == 0);
}

TEST_CASE("version 2 is found alone, and beside version 1 where it is put then", "[cgroup]") {
    CHECK(mount_among({{"/sys/fs/cgroup", CGROUP2_SUPER_MAGIC}}) == "/sys/fs/cgroup");
    CHECK(mount_among({{"/sys/fs/cgroup", TMPFS_MAGIC}, {"/sys/fs/cgroup/unified", CGROUP2_SUPER_MAGIC}}) ==
          "/sys/fs/cgroup/unified");
    CHECK(mount_among({{"/sys/fs/cgroup", TMPFS_MAGIC}}).empty());
    CHECK(mount_among({{"/sys/fs/cgroup", CGROUP_SUPER_MAGIC}}).empty());
    CHECK(mount_among({}).empty());
}

TEST_CASE("systemd runs a machine that has its directory", "[cgroup]") {
    const Machine debian;
    make_debian_11(debian);
    CHECK(is_under_systemd(debian.files()));
    const Machine alpine;
    make_alpine(alpine);
    CHECK_FALSE(is_under_systemd(alpine.files()));
}

TEST_CASE("controllers are whole words of a list", "[cgroup]") {
    CHECK(has_word("cpuset cpu io memory hugetlb pids rdma misc\n", "cpu"));
    CHECK(has_word("memory", "memory"));
    CHECK(has_word("pids\n", "pids"));
    CHECK_FALSE(has_word("cpuset io\n", "cpu"));
    CHECK_FALSE(has_word("", "cpu"));
    CHECK_FALSE(has_word(" \n\t ", "cpu"));
    CHECK_FALSE(has_word("cpu", ""));
    CHECK_FALSE(has_word(" \n", ""));
    CHECK_FALSE(has_word(std::string_view("cpu\0x", 5), "cpu"));
}

TEST_CASE("a branch is of the process in its name, and a number that is too large is nobody's", "[cgroup]") {
    CHECK(owner_of_branch("stagebox-12") == 12);
    for (const char* name :
         {"stagebox-", "stagebox-0", "stagebox--1", "stagebox-12x", "stagebox-12-34.scope", "stagebox", "other-12",
          "stagebox- 12", "stagebox-4294967308", "stagebox-99999999999999999999", "stagebox-12\n"}) {
        CAPTURE(name);
        CHECK(owner_of_branch(name) == std::nullopt);
    }
}
