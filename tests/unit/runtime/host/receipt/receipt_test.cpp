#include "runtime/host/receipt/receipt.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/runtime/host/scene.hpp"

using namespace tests;

TEST_CASE("a host that did not change has a clean receipt of one line", "[session]") {
    const Receipt receipt = receipt_of(host(), host());
    CHECK(receipt.clean());
    CHECK(receipt.differences.empty());
    CHECK(to_text(receipt) ==
          "receipt: host session untouched: mounts 2 = 2, loop devices 0 = 0, no process of ours left\n");
    CHECK(to_short_json(receipt).dump() == R"({"clean":true,"ours":[]})");
    CHECK(to_json(receipt).at("before").at("process") == 5);
}

TEST_CASE("the first thing of ours that is left is named", "[session]") {
    HostState after = host();
    const std::string disk = "/home/ann/.cache/stagebox/v2/staging/x/disk";
    after.tables[Kind::loop].items["/dev/loop0"] = {disk + ", deleted", {.paths = {disk}}};
    after.tables[Kind::loop].items["/dev/loop1"] = {"/var/lib/snap", {.paths = {"/var/lib/snap"}}};
    const Receipt receipt = receipt_of(host(), after);
    CHECK_FALSE(receipt.clean());
    CHECK(to_text(receipt) ==
          "receipt: host session TOUCHED BY THIS RUN: mounts 2 = 2, loop devices 0 -> 2, no process of ours left\n"
          "  ours: loop appeared /dev/loop0 (" +
              disk + ", deleted); its file " + disk +
              " lies under the store; stage rootfs\n"
              "  not ours, meanwhile: loop 1\n");
}

TEST_CASE("a name cannot steer the terminal or break the JSON", "[session]") {
    HostState after = host();
    after.processes.push_back({300, 100, 1000, 'S', 0, 30, "a\x1b[2J\xff"});
    const Receipt receipt = receipt_of(host(), after);
    CHECK(to_text(receipt).find("(a\\x1b[2J\\xff, uid") != std::string::npos);
    CHECK_NOTHROW(to_json(receipt).dump());
}
