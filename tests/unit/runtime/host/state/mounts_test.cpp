#include "runtime/host/state/mounts.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/runtime/host/scene.hpp"

using namespace tests;

namespace {

std::vector<Difference> after_mounts(const std::string& lines) {
    HostState after = host();
    after.mounts = parse_mounts(root_line + home_line + lines);
    return compare(host(), after, ours());
}

}  // namespace

TEST_CASE("a mount is ours by where it lies", "[session]") {
    const auto owner_and_why = [](const std::string& line) {
        const auto differences = after_mounts(line);
        REQUIRE(differences.size() == 1);
        CHECK(differences[0].kind == Kind::mount);
        CHECK(differences[0].change == "mounted");
        return std::string(name_of(differences[0].whose)) + ": " + differences[0].reason +
               (differences[0].stage.empty() ? "" : "; " + differences[0].stage);
    };
    CHECK(owner_and_why("40 28 0:30 / /home/ann/.cache/stagebox/v2/staging/x/out rw - tmpfs tmpfs rw\n") ==
          "ours: its target lies under the store; rootfs");
    CHECK(owner_and_why("40 27 254:1 /@home/ann/.cache/stagebox/v2/staging/x/a /mnt rw - btrfs /dev/vdb rw\n") ==
          "ours: it shows a part of the store; rootfs");
    CHECK(owner_and_why("40 27 0:30 / /mnt rw - overlay overlay "
                        "rw,lowerdir=/usr,upperdir=/home/ann/.cache/stagebox/v2/staging/x/layer/fs,xino=off\n") ==
          "ours: its options name the store; rootfs");
    CHECK(owner_and_why("40 27 0:30 / /mnt rw - tmpfs tmpfs rw\n") ==
          "system: only root can change it, and this run has no rights of root");
    CHECK(owner_and_why("40 27 0:30 / /mnt rw - fuse.sshfs a: rw,user_id=1000,group_id=1000\n").starts_with("user: "));
    CHECK(owner_and_why("40 28 0:30 / /home/ann/.cache/stagebox2 rw - tmpfs tmpfs rw\n").starts_with("system: "));
    // The same path on another file system.
    CHECK(owner_and_why("40 27 254:0 /@home/ann/.cache/stagebox /mnt rw - ext4 /dev/vda rw\n").starts_with("system: "));
}
