// Sealing, removing and copying trees, on real directories. What needs the jails' id mapping is tested through
// `stagebox build` in tests/pipeline.
#include "runtime/store/tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using runtime::store::digest_import;
using runtime::store::digest_sealed;
using runtime::store::export_tree;
using runtime::store::remove_tree;
using runtime::store::seal_tree;
using runtime::store::SealOptions;
using runtime::store::TreeKind;
using sandbox::os::Fd;

namespace {

void write(int parent, const std::string& path, const std::string& text) {
    const Fd file = sandbox::os::create_file(parent, path, 0644);
    sandbox::os::write_all(file.get(), text, path);
}

// A tree with one of each, made in the given order so that directory entries differ.
void make_tree(int parent, const std::string& name, const std::vector<std::string>& order) {
    sandbox::os::make_directory(parent, name, 0755);
    for (const std::string& entry : order)
        write(parent, sandbox::os::format("{}/{}", name, entry), "content of " + entry);
    sandbox::os::make_directory(parent, name + "/d", 0755);
    REQUIRE(::symlinkat("/nowhere", parent, (name + "/link").c_str()) == 0);
    REQUIRE(::linkat(parent, (name + "/a").c_str(), parent, (name + "/d/hard").c_str(), 0) == 0);
}

std::string digest(int parent, const std::string& name, const SealOptions& options = {}) {
    return seal_tree(parent, name, options).digest;
}

struct Place {
    tests::TemporaryDirectory directory;
    Fd fd = sandbox::os::open_directory(AT_FDCWD, directory.path().string());
};

}  // namespace

TEST_CASE("tree: the digest follows content, not the order of making or the time", "[tree]") {
    Place place;
    make_tree(place.fd.get(), "one", {"a", "b", "c"});
    make_tree(place.fd.get(), "two", {"c", "b", "a"});
    const timespec old[2] = {{1, 0}, {1, 0}};
    REQUIRE(::utimensat(place.fd.get(), "two/b", old, 0) == 0);
    CHECK(digest(place.fd.get(), "one") == digest(place.fd.get(), "two"));

    const auto facts = seal_tree(place.fd.get(), "one", {});
    CHECK(facts.entries == 7);  // root, a, b, c, d, d/hard, link
    CHECK(facts.bytes == 3 * std::string("content of a").size());
    CHECK(facts.is_directory);
}

TEST_CASE("tree: whatever a reader could see changes the digest", "[tree]") {
    Place place;
    make_tree(place.fd.get(), "t", {"a", "b"});
    const std::string before = digest(place.fd.get(), "t");
    const int at = place.fd.get();
    SECTION("content") {
        write(at, "t/b", "Content of b");
    }
    SECTION("mode") {
        REQUIRE(::fchmodat(at, "t/b", 04755, 0) == 0);
    }
    SECTION("a name") {
        REQUIRE(::renameat(at, "t/b", at, "t/bb") == 0);
    }
    SECTION("a name moved to another directory") {
        REQUIRE(::renameat(at, "t/b", at, "t/d/b") == 0);
    }
    SECTION("an empty directory") {
        sandbox::os::make_directory(at, "t/e", 0755);
    }
    SECTION("where a link leads") {
        REQUIRE(::unlinkat(at, "t/link", 0) == 0);
        REQUIRE(::symlinkat("/elsewhere", at, "t/link") == 0);
    }
    SECTION("two names of one file become two files") {
        REQUIRE(::unlinkat(at, "t/d/hard", 0) == 0);
        write(at, "t/d/hard", "content of a");
    }
    SECTION("a file becomes a FIFO") {
        REQUIRE(::unlinkat(at, "t/b", 0) == 0);
        REQUIRE(::mkfifoat(at, "t/b", 0644) == 0);
    }
    SECTION("an extended attribute") {
        const Fd file = sandbox::os::open_to_read(at, "t/b");
        REQUIRE(::fsetxattr(file.get(), "user.note", "x", 1, 0) == 0);
    }
    CHECK(digest(at, "t") != before);
}

TEST_CASE("tree: a sealed tree keeps its digest until it is changed, and is not changed by looking", "[tree]") {
    Place place;
    const int at = place.fd.get();
    make_tree(at, "t", {"a", "b"});
    const SealOptions options = GENERATE(values<SealOptions>({{}, {TreeKind::layer, {}}, {TreeKind::artifact, 1000}}));
    const Fd directory = sandbox::os::open_directory(at, "t/d");
    REQUIRE(::fsetxattr(directory.get(), "user.overlay.opaque", "y", 1, 0) == 0);
    const std::string sealed = digest(at, "t", options);
    CHECK(digest_sealed(at, "t", options).digest == sealed);
    // As an overlay that is mounted over it may leave.
    REQUIRE(::fsetxattr(directory.get(), "user.overlay.impure", "y", 1, 0) == 0);
    CHECK(digest_sealed(at, "t", options).digest == sealed);
    CHECK(::fgetxattr(directory.get(), "user.overlay.impure", nullptr, 0) == 1);
    const timespec late[2] = {{2000, 0}, {2000, 0}};
    REQUIRE(::utimensat(at, "t/b", late, 0) == 0);
    CHECK((digest_sealed(at, "t", options).digest == sealed) == !options.epoch.has_value());
    write(at, "t/b", "Content of b");
    CHECK(digest_sealed(at, "t", options).digest != sealed);
}

TEST_CASE("tree: what overlayfs wrote beside the data is gone, but opaque directories of a layer stay", "[tree]") {
    Place place;
    make_tree(place.fd.get(), "t", {"a"});
    const std::string before = digest(place.fd.get(), "t", {TreeKind::layer, {}});
    const Fd directory = sandbox::os::open_directory(place.fd.get(), "t/d");
    REQUIRE(::fsetxattr(directory.get(), "user.overlay.impure", "y", 1, 0) == 0);
    CHECK(digest(place.fd.get(), "t", {TreeKind::layer, {}}) == before);
    CHECK(::fgetxattr(directory.get(), "user.overlay.impure", nullptr, 0) == -1);

    REQUIRE(::fsetxattr(directory.get(), "user.overlay.opaque", "y", 1, 0) == 0);
    CHECK(digest(place.fd.get(), "t", {TreeKind::layer, {}}) != before);
    CHECK(::fgetxattr(directory.get(), "user.overlay.opaque", nullptr, 0) == 1);
    // In an artifact nothing of overlayfs's means anything, so a payload cannot smuggle it into a later root.
    seal_tree(place.fd.get(), "t", {TreeKind::artifact, {}});
    CHECK(::fgetxattr(directory.get(), "user.overlay.opaque", nullptr, 0) == -1);
}

TEST_CASE("tree: with an epoch, directories and what is newer get its time", "[tree]") {
    Place place;
    make_tree(place.fd.get(), "t", {"a", "b"});
    const timespec old[2] = {{1000, 5}, {1000, 5}};
    REQUIRE(::utimensat(place.fd.get(), "t/b", old, 0) == 0);
    seal_tree(place.fd.get(), "t", {TreeKind::artifact, 5000});
    const auto time_of = [&](const char* path) {
        struct stat status {};
        REQUIRE(::fstatat(place.fd.get(), path, &status, AT_SYMLINK_NOFOLLOW) == 0);
        return status.st_mtim.tv_sec;
    };
    CHECK(time_of("t") == 5000);
    CHECK(time_of("t/d") == 5000);
    CHECK(time_of("t/a") == 5000);
    CHECK(time_of("t/link") == 5000);
    CHECK(time_of("t/b") == 1000);
}

TEST_CASE("tree: only files and directories are sealed, and not a nest without end", "[tree]") {
    Place place;
    REQUIRE(::symlinkat("/etc/passwd", place.fd.get(), "link") == 0);
    REQUIRE(::mkfifoat(place.fd.get(), "fifo", 0644) == 0);
    CHECK_THROWS_AS(seal_tree(place.fd.get(), "link", {}), runtime::store::TreeError);
    CHECK_THROWS_AS(seal_tree(place.fd.get(), "fifo", {}), runtime::store::TreeError);

    sandbox::os::make_directory(place.fd.get(), "deep", 0755);
    Fd at = sandbox::os::open_directory(place.fd.get(), "deep");
    for (int i = 0; i < 3000; ++i) {
        sandbox::os::make_directory(at.get(), "d", 0755);
        at = sandbox::os::open_directory(at.get(), "d");
    }
    CHECK_THROWS_WITH(seal_tree(place.fd.get(), "deep", {}), Catch::Contains("nested deeper"));
    remove_tree(place.fd.get(), "deep");
    CHECK(sandbox::os::list_directory(place.fd.get()) == std::vector<std::string>{"fifo", "link"});
}

TEST_CASE("tree: removal takes everything, follows nothing", "[tree]") {
    Place place;
    write(place.fd.get(), "canary", "alive");
    make_tree(place.fd.get(), "t", {"a", "new\nline", "-rf"});
    REQUIRE(::symlinkat("..", place.fd.get(), "t/up") == 0);
    remove_tree(place.fd.get(), "t");
    remove_tree(place.fd.get(), "was never there");
    CHECK(sandbox::os::list_directory(place.fd.get()) == std::vector<std::string>{"canary"});
}

TEST_CASE("tree: an import's digest does not know the checkout's umask, owner or time", "[tree]") {
    Place place;
    make_tree(place.fd.get(), "one", {"a", "b"});
    make_tree(place.fd.get(), "two", {"b", "a"});
    REQUIRE(::fchmodat(place.fd.get(), "two/b", 0600, 0) == 0);
    REQUIRE(::fchmodat(place.fd.get(), "two/d", 0700, 0) == 0);
    CHECK(digest_import(place.fd.get(), "one").digest == digest_import(place.fd.get(), "two").digest);
    REQUIRE(::fchmodat(place.fd.get(), "two/b", 0755, 0) == 0);
    CHECK(digest_import(place.fd.get(), "one").digest != digest_import(place.fd.get(), "two").digest);
    REQUIRE(::mkfifoat(place.fd.get(), "two/fifo", 0644) == 0);
    CHECK_THROWS_AS(digest_import(place.fd.get(), "two"), runtime::store::TreeError);
}

TEST_CASE("tree: an export is the caller's, without set-id bits", "[tree]") {
    Place place;
    make_tree(place.fd.get(), "t", {"a"});
    REQUIRE(::fchmodat(place.fd.get(), "t/a", 06755, 0) == 0);
    export_tree(place.fd.get(), "t", place.fd.get(), "copy");
    struct stat status {};
    REQUIRE(::fstatat(place.fd.get(), "copy/a", &status, 0) == 0);
    CHECK((status.st_mode & 07000) == 0);
    CHECK(status.st_uid == ::geteuid());
    CHECK(sandbox::os::read_file(place.fd.get(), "copy/a") == "content of a");
    CHECK_THROWS(export_tree(place.fd.get(), "t", place.fd.get(), "copy"));
}
