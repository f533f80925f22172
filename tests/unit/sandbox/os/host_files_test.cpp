#include "sandbox/os/host_files.hpp"

#include <fcntl.h>

#include "sandbox/os/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/machine.hpp"

using namespace sandbox::os;

TEST_CASE("a machine's directories are those below its root", "[host-files]") {
    const tests::Machine machine;
    machine.file("proc/a", "1").file("sys/a", "2").file("etc/a", "3").file("a", "4");
    const HostFiles files = machine.files();
    CHECK(read_file(files.proc(), "a") == "1");
    CHECK(read_file(files.sys(), "a") == "2");
    CHECK(read_file(files.etc(), "a") == "3");
    CHECK(read_file(files.root(), "a") == "4");
}

TEST_CASE("a directory that is not there has nothing in it", "[host-files]") {
    const tests::Machine machine;
    const HostFiles empty = machine.files();
    const HostFiles nowhere(machine.root() + "/nowhere");
    for (const int directory : {empty.proc(), empty.sys(), empty.etc(), nowhere.proc(), nowhere.root()}) {
        INFO("a name must not be looked for in the working directory instead");
        CHECK(directory < 0);
        CHECK(directory != AT_FDCWD);
    }
    const tests::Machine odd;
    odd.file("proc", "a file");
    CHECK(odd.files().proc() < 0);
}

TEST_CASE("this machine's are its own, and no program that is started inherits them", "[host-files]") {
    const HostFiles files;
    CHECK_FALSE(read_file(files.proc(), "self/mountinfo").empty());
    for (const int directory : {files.proc(), files.etc(), files.root()}) {
        REQUIRE(directory >= 0);
        CHECK((::fcntl(directory, F_GETFD) & FD_CLOEXEC) != 0);
    }
}

TEST_CASE("an absolute path is named from the root's descriptor", "[host-files]") {
    CHECK(below_root("/run/lock") == "run/lock");
    CHECK(below_root("//run") == "run");
    CHECK(below_root("/") == ".");
    CHECK(below_root("") == ".");
    CHECK(below_root("run") == "run");
}
