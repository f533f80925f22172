// What is told of a tree, and of how two differ.
#include "runtime/store/tree_listing.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using namespace runtime::store;

namespace {

namespace fs = std::filesystem;

TreeListing listing_of(const tests::TemporaryDirectory& directory, const std::string& name) {
    return list_tree(AT_FDCWD, (directory.path() / name).string());
}

}  // namespace

TEST_CASE("a listing has every path of a tree with what is there", "[tree]") {
    const tests::TemporaryDirectory directory;
    directory.write("tree/b/file", "content\n");
    fs::permissions(directory.path() / "tree/b/file", fs::perms(0640));
    fs::create_symlink("../nowhere", directory.path() / "tree/link");
    const TreeListing listing = listing_of(directory, "tree");
    REQUIRE(listing.size() == 4);
    CHECK(listing.at(".").starts_with("directory 0"));
    CHECK(listing.at("b").starts_with("directory 0"));
    CHECK(listing.at("b/file").starts_with("file 0640 "));
    CHECK(listing.at("b/file").ends_with(" 8 434728a410a78f56fc1b5899c3593436e61ab0c731e9072d95e96db290205e53"));
    CHECK(listing.at("link").ends_with(" to ../nowhere"));
    CHECK(listing_of(directory, "tree/b/file").size() == 1);
}

TEST_CASE("differences are named by path, the first ones", "[tree]") {
    const TreeListing before = {{".", "d"}, {"a", "1"}, {"b", "2"}, {"c", "3"}};
    const TreeListing now = {{".", "d"}, {"b", "4"}, {"c", "3"}, {"d", "5"}, {"e", "6"}};
    CHECK(differences(before, before, 9).paths.empty());
    const TreeDifferences all = differences(before, now, 9);
    CHECK(all.paths == std::vector<std::string>{"gone a", "changed b", "new d", "new e"});
    CHECK(all.more == 0);
    const TreeDifferences some = differences(before, now, 2);
    CHECK(some.paths == std::vector<std::string>{"gone a", "changed b"});
    CHECK(some.more == 2);
    CHECK(differences(now, {}, 0).more == 5);
}
