#include "runtime/host/state/files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/catch.hpp"
#include "tests/unit/machine.hpp"

using namespace runtime::host;
using tests::Machine;

TEST_CASE("files that programs leave are found two levels deep, by kind and owner", "[session][files]") {
    const Machine machine;
    machine.file("tmp/a", "");
    machine.file("tmp/folder/inner/deepest", "");
    machine.link("tmp/link", "/etc/passwd");
    machine.file("run/lock/x", "");
    machine.file("run/user/1000/bus", "");
    REQUIRE(::mkfifo((machine.root() + "/tmp/pipe").c_str(), 0600) == 0);
    const std::string owner = std::to_string(::geteuid());
    const Table table = observe_files(machine.files(), "/run/user/1000", "");
    const auto value = [&](const std::string& path) {
        const auto found = table.items.find(path);
        return found == table.items.end() ? std::string("not told of") : found->second.value;
    };
    CHECK(value("/tmp/a") == "file of " + owner);
    CHECK(value("/tmp/folder") == "directory of " + owner);
    CHECK(value("/tmp/folder/inner") == "directory of " + owner);
    CHECK(value("/tmp/folder/inner/deepest") == "not told of");
    CHECK(value("/tmp/link") == "link of " + owner);
    CHECK(value("/tmp/pipe") == "pipe of " + owner);
    CHECK(value("/run/lock/x") == "file of " + owner);
    INFO("the runtime directory is gone into on its own");
    CHECK(value("/run/user/1000/bus") == "file of " + owner);
}

TEST_CASE("what lies in the store is the build's own", "[session][files]") {
    const Machine machine;
    machine.file("tmp/store/v2", "");
    machine.file("tmp/store2/v1", "");
    const Table table = observe_files(machine.files(), "", "/tmp/store");
    CHECK_FALSE(table.items.contains("/tmp/store"));
    CHECK_FALSE(table.items.contains("/tmp/store/v2"));
    CHECK(table.items.contains("/tmp/store2/v1"));
}

TEST_CASE("names with newlines and bytes that are no text are names", "[session][files]") {
    const Machine machine;
    machine.file("tmp/two\nlines", "");
    machine.file("tmp/\xff\x1b[2J", "");
    const Table table = observe_files(machine.files(), "", "");
    CHECK(table.items.contains("/tmp/two\nlines"));
    CHECK(table.items.contains("/tmp/\xff\x1b[2J"));
}

TEST_CASE("a directory with very many entries is looked at in part", "[session][files]") {
    const Machine machine;
    for (int i = 0; i < 2100; ++i) machine.file("tmp/many/" + std::to_string(i), "");
    const Table table = observe_files(machine.files(), "", "");
    CHECK(table.items.size() <= 2001);
    CHECK(table.items.size() >= 2000);
}

TEST_CASE("a link as /tmp is followed, one below it is not", "[session][files]") {
    const Machine machine;
    machine.file("elsewhere/x", "");
    machine.link("tmp", "elsewhere");
    machine.link("elsewhere/inner", "../elsewhere");
    const Table table = observe_files(machine.files(), "", "");
    CHECK(table.items.contains("/tmp/x"));
    CHECK(table.items.contains("/tmp/inner"));
    CHECK_FALSE(table.items.contains("/tmp/inner/x"));
}

TEST_CASE("a machine without these directories has no such files", "[session][files]") {
    const Machine machine;
    CHECK(observe_files(machine.files(), "/run/user/1000", "").items.empty());
}
