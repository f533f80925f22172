#include "runtime/host/state/difference.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/runtime/host/scene.hpp"

using namespace tests;

TEST_CASE("a path lies under a folder by whole names", "[session]") {
    CHECK(lies_under("/srv/a", "/srv/a"));
    CHECK(lies_under("/srv/a/b", "/srv/a"));
    CHECK(lies_under("/srv/a", "/"));
    CHECK_FALSE(lies_under("/srv/ab", "/srv/a"));
    CHECK_FALSE(lies_under("/srv", "/srv/a"));
    INFO("an empty folder is no folder: nothing lies under it");
    CHECK_FALSE(lies_under("/srv", ""));
    CHECK_FALSE(lies_under("", ""));
    CHECK_FALSE(lies_under("", "/"));
}

TEST_CASE("a name is shown in printable ASCII only", "[session]") {
    CHECK(plain("name with blanks~") == "name with blanks~");
    CHECK(plain("a\nb\x1b[2J\x7f\xff") == "a\\x0ab\\x1b[2J\\x7f\\xff");
    CHECK(plain(std::string_view("\0", 1)) == "\\x00");
    CHECK(plain("").empty());
}

TEST_CASE("an id is in a range from its first to its last, and never past the end of ids", "[session]") {
    Ours mine = ours();
    mine.ids = {sandbox::IdMode::range, 4294900000U, 4294900000U, 65536};
    CHECK(mine.in_range(4294900000U));
    CHECK(mine.in_range(4294900000U + 65535U));
    CHECK_FALSE(mine.in_range(4294899999U));
    CHECK_FALSE(mine.in_range(0));
    CHECK_FALSE(mine.in_range(1000));
}

TEST_CASE("systemd's cgroups are called like their units, escaped or below slices", "[session]") {
    Ours mine = ours();
    mine.host_services = {"docker.service", "user: podman.service"};
    CHECK(mine.declares_cgroup("/system.slice/docker.service"));
    CHECK(mine.declares_cgroup("/system.slice/docker.service/inner"));
    CHECK(mine.declares_cgroup("/user.slice/user-1000.slice/user@1000.service/app.slice/podman.service"));
    CHECK_FALSE(mine.declares_cgroup("/system.slice/mydocker.service"));
    CHECK_FALSE(mine.declares_cgroup("/system.slice/docker.service2"));
    CHECK_FALSE(mine.declares_cgroup(""));
}
