#include "sandbox/os/mountinfo.hpp"

#include "tests/support/catch.hpp"

using sandbox::os::MountChangeKind;
using sandbox::os::parse_mounts;

namespace {

const std::string base =
    "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n"
    "24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,mode=755\n"
    "26 24 0:24 / /dev/pts rw,relatime - devpts devpts rw,mode=600\n";

const std::string tmpfs_on_dev_shm = "40 24 0:30 / /dev/shm rw,relatime - tmpfs tmpfs rw\n";

}  // namespace

TEST_CASE("a mount table is read into values", "[mountinfo]") {
    const auto table =
        parse_mounts(base + "60 27 254:0 /home/a\\040b /mnt/with\\040blank ro shared:7 - ext4 /dev/vda rw\n");
    REQUIRE(table.mounts.size() == 4);
    const auto& mount = table.mounts[3];
    CHECK(mount.id == 60);
    CHECK(mount.parent == 27);
    CHECK(mount.major == 254);
    CHECK(mount.minor == 0);
    CHECK(mount.root == "/home/a b");
    CHECK(mount.target == "/mnt/with blank");
    CHECK(mount.source == "/dev/vda");
    CHECK(mount.fstype == "ext4");
    CHECK(mount.options.substr(0, 2) == "ro");
    CHECK(mount.optional_fields == "shared:7");
    CHECK(table.mounts[0].optional_fields.empty());
    CHECK(parse_mounts("").mounts.empty());
}

TEST_CASE("this process's own table is read", "[mountinfo]") {
    const sandbox::os::HostFiles host;
    const auto table = sandbox::os::read_mounts(host);
    REQUIRE_FALSE(table.mounts.empty());
    CHECK(std::any_of(table.mounts.begin(), table.mounts.end(), [](const auto& mount) { return mount.target == "/"; }));
    CHECK(diff(table, sandbox::os::read_mounts(host)).empty());
    CHECK(sandbox::os::read_mounts(host, table).mounts == table.mounts);
    CHECK(sandbox::os::read_mounts(host, {table.text + "x", {}}).mounts == table.mounts);
}

TEST_CASE("mounts that came, went, moved or changed are told", "[mountinfo]") {
    const auto before = parse_mounts(base + tmpfs_on_dev_shm);

    const auto gone = diff(before, parse_mounts(base));
    REQUIRE(gone.size() == 1);
    CHECK(gone[0].kind == MountChangeKind::unmounted);
    CHECK(gone[0].mount.target == "/dev/shm");

    const auto come = diff(parse_mounts(base), before);
    REQUIRE(come.size() == 1);
    CHECK(come[0].kind == MountChangeKind::mounted);
    CHECK(come[0].mount.id == 40);

    const auto moved = diff(before, parse_mounts(base + "40 24 0:30 / /mnt rw,relatime - tmpfs tmpfs rw\n"));
    REQUIRE(moved.size() == 1);
    CHECK(moved[0].kind == MountChangeKind::moved);
    CHECK(moved[0].mount.target == "/mnt");
    CHECK(moved[0].moved_from == "/dev/shm");

    const auto changed = diff(before, parse_mounts(base + "40 24 0:30 / /dev/shm ro,relatime - tmpfs tmpfs rw\n"));
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].kind == MountChangeKind::remounted);
    CHECK(changed[0].old_options.substr(0, 2) == "rw");

    CHECK(diff(parse_mounts(base), parse_mounts("")).size() == 3);
}

TEST_CASE("a second mount of the same source on the same target is told", "[mountinfo]") {
    const auto before = parse_mounts(base + tmpfs_on_dev_shm);
    const auto after = parse_mounts(base + tmpfs_on_dev_shm + "41 40 0:31 / /dev/shm rw,relatime - tmpfs tmpfs rw\n");
    const auto changes = diff(before, after);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].kind == MountChangeKind::mounted);
    CHECK(changes[0].mount.id == 41);
    REQUIRE(diff(after, before).size() == 1);
    CHECK(diff(after, before)[0].kind == MountChangeKind::unmounted);
}

TEST_CASE("a mount that was taken away and made again is told, also where it has the same id", "[mountinfo]") {
    const auto before = parse_mounts(base + tmpfs_on_dev_shm);
    // Another id, and else the same.
    const auto again = diff(before, parse_mounts(base + "41 24 0:30 / /dev/shm rw,relatime - tmpfs tmpfs rw\n"));
    REQUIRE(again.size() == 2);
    CHECK(again[0].kind == MountChangeKind::mounted);
    CHECK(again[1].kind == MountChangeKind::unmounted);
    // The id was given out again, for another file system on the same place.
    const auto other = diff(before, parse_mounts(base + "40 24 0:31 / /dev/shm rw,relatime - tmpfs tmpfs rw\n"));
    REQUIRE(other.size() == 2);
    CHECK(other[0].kind == MountChangeKind::mounted);
    CHECK(other[1].kind == MountChangeKind::unmounted);
}

TEST_CASE("a text that is no mount table is refused", "[mountinfo]") {
    CHECK_THROWS_WITH(parse_mounts("hello\n"), Catch::Contains("not a mount table"));
}
