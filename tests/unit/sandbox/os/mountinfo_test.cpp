#include "sandbox/os/mountinfo.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"

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

TEST_CASE("the tables of other kernels and distributions are read", "[mountinfo]") {
    const auto mounts_of = [](void (*make)(const tests::Machine&)) {
        const tests::Machine machine;
        make(machine);
        return sandbox::os::read_mounts(machine.files()).mounts;
    };
    const auto find = [](const std::vector<sandbox::os::MountEntry>& mounts, const std::string& target) {
        const auto found =
            std::find_if(mounts.begin(), mounts.end(), [&](const auto& one) { return one.target == target; });
        INFO("there is a mount on " << target);
        REQUIRE(found != mounts.end());
        return *found;
    };
    const auto debian = mounts_of(tests::make_debian_11);
    CHECK(debian.size() == 9);
    CHECK(find(debian, "/proc/sys/fs/binfmt_misc").fstype == "autofs");
    CHECK(find(debian, "/").source == "/dev/vda1");

    const auto ubuntu = mounts_of(tests::make_ubuntu_24_04);
    CHECK(find(ubuntu, "/run/user/1000/doc").fstype == "fuse.portal");
    CHECK(find(ubuntu, "/snap/core22/1621").major == 7);

    const auto arch = mounts_of(tests::make_arch);
    CHECK(find(arch, "/").root == "/@");
    CHECK(find(arch, "/mnt/idmapped").options.find("idmapped") != std::string::npos);

    const auto alpine = mounts_of(tests::make_alpine);
    CHECK(find(alpine, "/sys/fs/cgroup/unified").fstype == "cgroup2");
    CHECK(find(alpine, "/sys/fs/cgroup/openrc").fstype == "cgroup");

    const auto container = mounts_of(tests::make_docker_container);
    CHECK(find(container, "/").fstype == "overlay");
    CHECK(find(container, "/proc/kcore").root == "/null");
}

TEST_CASE("names with newlines, blanks, tabs and backslashes are read as they are", "[mountinfo]") {
    const auto table = parse_mounts(base +
                                    "60 27 0:60 / /mnt/two\\012lines\\011\\040\\134x rw - tmpfs a\\012b rw\n"
                                    "61 27 0:61 / /mnt/\xff\xfe\x1b[2J rw - tmpfs \xff rw\n");
    REQUIRE(table.mounts.size() == 5);
    CHECK(table.mounts[3].target == "/mnt/two\nlines\t \\x");
    CHECK(table.mounts[3].source == "a\nb");
    CHECK(table.mounts[4].target == "/mnt/\xff\xfe\x1b[2J");
}

TEST_CASE("a line of 4 KiB is read whole", "[mountinfo]") {
    std::string layers = "/l/0";
    while (layers.size() < 4096) layers += ":/var/lib/docker/overlay2/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const std::string options = "rw,lowerdir=" + layers + ",upperdir=/u,workdir=/w";
    const std::string target = "/" + std::string(4000, 't');
    const auto table = parse_mounts(base + "60 27 0:60 / " + target + " rw - overlay overlay " + options + "\n");
    REQUIRE(table.mounts.size() == 4);
    CHECK(table.mounts[3].target == target);
    CHECK(table.mounts[3].options.find(layers + ",upperdir=/u") != std::string::npos);
}

TEST_CASE("a table of 10,000 mounts is read, and one more is found among them", "[mountinfo]") {
    std::string lines = base;
    for (int i = 100; i < 10100; ++i) {
        lines += std::to_string(i) + " 27 0:" + std::to_string(i) + " / /mnt/" + std::to_string(i) +
                 " rw - tmpfs tmpfs rw\n";
    }
    const auto before = parse_mounts(lines);
    REQUIRE(before.mounts.size() == 10003);
    const auto after = parse_mounts(lines + "20000 27 0:1 / /mnt/new rw - tmpfs tmpfs rw\n");
    const auto come = diff(before, after);
    REQUIRE(come.size() == 1);
    CHECK(come[0].mount.target == "/mnt/new");
    const auto gone = diff(after, before);
    REQUIRE(gone.size() == 1);
    CHECK(gone[0].kind == MountChangeKind::unmounted);
}

TEST_CASE("half a table is none: a line that cannot be understood is told, not passed over", "[mountinfo]") {
    using namespace std::string_literals;
    for (const std::string& line : {"60 27 0:60 / /mnt\n"s, "60 27 x:y / /mnt rw - tmpfs tmpfs rw\n"s, "\n"s,
                                    "\xff\xfe\n"s, std::string(1 << 20, 'x') + "\n"}) {
        CAPTURE(line.substr(0, 60));
        CHECK_THROWS_WITH(parse_mounts(base + line), Catch::Contains("not a mount table"));
    }
}

TEST_CASE("a machine without a mount table is an error", "[mountinfo]") {
    const tests::Machine machine;
    machine.folder("proc/self");
    CHECK_THROWS_WITH(sandbox::os::read_mounts(machine.files()), Catch::Contains("self/mountinfo"));
}
