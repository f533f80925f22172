#include "runtime/host/unmount/peers.hpp"

#include "tests/support/catch.hpp"

using namespace runtime::host;
using sandbox::os::MountTable;
using sandbox::os::parse_mounts;

TEST_CASE("mounts of one group are peers, and slaves are none", "[session][unmount]") {
    const MountTable table = parse_mounts(
        "20 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n"
        "40 20 0:6 / /dev rw shared:2 - devtmpfs udev rw\n"
        "41 20 0:6 / /srv/dev rw shared:2 master:9 - devtmpfs udev rw\n"
        "42 20 0:6 / /mnt/dev rw master:2 - devtmpfs udev rw\n"
        "43 20 0:6 / /opt/shared:2 rw - devtmpfs shared:2 rw\n");
    const Peers peers(table);
    const auto peer = [&](std::size_t at, const std::string& directory) {
        const auto* const found = peers.peer_outside(table.mounts[at], directory);
        return found == nullptr ? std::string("none") : found->target;
    };
    CHECK(peer(2, "/srv") == "/dev");
    CHECK(peer(1, "/dev") == "/srv/dev");
    CHECK(peer(2, "/") == "none");
    CHECK(peer(3, "/mnt") == "none");
    INFO("words that only look like the field are a place and a device");
    CHECK(peer(4, "/opt") == "none");
    CHECK(peers.parent_of(table.mounts[1]) == &table.mounts[0]);
    CHECK(peers.parent_of(table.mounts[0]) == nullptr);
}

TEST_CASE("a copy is known by the older mount on the same place of its parent's peer, among 10,000 mounts",
          "[session][unmount]") {
    std::string lines =
        "20 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n"
        "21 20 0:6 / /dev rw shared:2 - devtmpfs udev rw\n"
        "22 21 0:24 / /dev/pts rw shared:3 - devpts devpts rw\n";
    for (int i = 100; i < 10100; ++i) {
        lines +=
            std::to_string(i) + " 20 0:" + std::to_string(i) + " / /mnt/" + std::to_string(i) + " rw - tmpfs t rw\n";
    }
    lines +=
        "20000 20 0:6 / /srv/dev rw shared:2 - devtmpfs udev rw\n"
        "20001 20000 0:24 / /srv/dev/pts rw shared:3 - devpts devpts rw\n";
    const MountTable table = parse_mounts(lines);
    REQUIRE(table.mounts.size() == 10005);
    const Peers peers(table);
    const auto* const original = peers.original_of(table.mounts.back());
    REQUIRE(original != nullptr);
    CHECK(original->target == "/dev/pts");
    CHECK(peers.original_of(table.mounts[2]) == nullptr);
}
