// Roots that a payload has prepared: a mount's target, or a directory above it, is a symbolic link. What is
// mounted there lands inside the root, or the jail is not built; what the link names outside is never
// touched.
#include <filesystem>
#include <fstream>

#include "tests/jail/hostile_root.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
namespace fs = std::filesystem;

TEST_CASE("a root directory of the host is usable", "[root]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const HostileRoot root;
    const Result seen = root.run(ids, {}, {"/probe", "pids"});
    INFO(seen.err);
    CHECK(seen.code == 0);
    CHECK(seen.out == "1=stagebox-init\n2=probe\n");
    CHECK(value_of(root.run(ids, {}, {"/probe", "write", "/dev/null", "x"}).out, "write") == "ok");
}

TEST_CASE("a mount's target that is a symbolic link is refused", "[root][threat][paths]") {
    const std::string ids = GENERATE("single", "range");
    const std::string name = GENERATE("proc", "sys", "dev", "run", "tmp");
    const std::string text =
        GENERATE("CANARY", "CANARY/directory", "../canary/directory", "/proc/self/root", "/proc/1/root", "dangling");
    const HostileRoot root;
    const std::string target = root.expand(text);
    INFO(ids << " " << name << " -> " << target);
    root.replace(name, target);
    const Result refused = root.run(ids, {}, {"/probe", "echo", "ran"});
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK(refused.err.find("/" + name) != std::string::npos);
    CHECK(root.canary().is_unchanged());
}

TEST_CASE("a symbolic link above a target leads to a place inside the root, or nowhere", "[root][threat][paths]") {
    const std::string ids = GENERATE("single", "range");
    const std::string text = GENERATE("CANARY", "../canary", "../../../../../../../../../..CANARY");
    const HostileRoot root;
    const std::string outside = root.expand(text);
    INFO(ids << " a -> " << outside);
    root.replace("a", outside);
    SECTION("nowhere") {
        const Result refused = root.run(ids, {"--tmpfs", "/a/directory"}, {"/probe", "echo", "ran"});
        INFO(refused.err);
        CHECK(refused.code == 125);
        CHECK(refused.out.empty());
    }
    SECTION("inside") {
        // The place that the link names when the root is /.
        const std::string inside =
            outside == "../canary" ? root.path() + "/canary" : root.path() + root.canary().path();
        fs::create_directories(inside + "/directory");
        for (fs::path path = inside + "/directory"; path != root.path(); path = path.parent_path()) {
            fs::permissions(path, fs::perms::all);
        }
        const Result landed =
            root.run(ids, {"--tmpfs", "/a/directory"}, {"/probe", "write", "/a/directory/file", "inside"});
        INFO(landed.err);
        CHECK(landed.code == 0);
        CHECK(value_of(landed.out, "write") == "ok");
        CHECK_FALSE(fs::exists(inside + "/directory/file"));
    }
    CHECK(root.canary().is_unchanged());
}

TEST_CASE("a root's own devices and masks do not stand in for the host's", "[root][threat][masks]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const HostileRoot root;
    // /dev is a fresh tmpfs, whatever the root has there.
    std::ofstream(root.path() + "/dev/null") << "a file\n";
    fs::create_symlink(root.canary().path() + "/file", root.path() + "/dev/zero");
    const Result null = root.run(ids, {}, {"/probe", "stat", "/dev/null"});
    CHECK(value_of(null.out, "type") == "character");
    CHECK(value_of(null.out, "device") == "1:3");
    CHECK(value_of(root.run(ids, {}, {"/probe", "stat", "/dev/zero"}).out, "device") == "1:5");
    CHECK(root.canary().is_unchanged());
}

TEST_CASE("files and links are not made through a symbolic link either", "[root][threat][paths]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const HostileRoot root;
    root.replace("hosts", root.canary().path() + "/file");
    const Result refused = root.run(ids, {"--ro-bind", "/etc/passwd", "/hosts"}, {"/probe", "echo", "ran"});
    CHECK(refused.code == 125);
    root.replace("a", root.canary().path());
    CHECK(root.run(ids, {"--symlink", "text", "/a/new"}, {"/probe", "echo", "ran"}).code == 125);
    CHECK(root.run(ids, {"--dir", "/a/new"}, {"/probe", "echo", "ran"}).code == 125);
    CHECK(root.canary().is_unchanged());
}
