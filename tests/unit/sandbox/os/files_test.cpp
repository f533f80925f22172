#include "sandbox/os/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "sandbox/os/sys.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using namespace sandbox::os;

namespace {

int error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const SysError& error) {
        return error.error();
    }
    return 0;
}

}  // namespace

TEST_CASE("a file is read whole, and never through a link that was not asked for", "[files]") {
    const tests::TemporaryDirectory directory;
    const std::string large(100'000, 'x');
    directory.write("large", large);
    directory.write("empty", "");
    REQUIRE(::symlink("large", (directory.path() / "link").c_str()) == 0);
    const Fd parent = open_directory(AT_FDCWD, directory.path().string());
    CHECK(read_file(parent.get(), "large") == large);
    CHECK(read_file(parent.get(), "empty").empty());
    CHECK(error_of([&] { static_cast<void>(read_file(parent.get(), "none")); }) == ENOENT);
    CHECK(error_of([&] { static_cast<void>(read_file(parent.get(), "link")); }) == ELOOP);

    CHECK(read_file_if_exists(parent.get(), "large") == large);
    CHECK_FALSE(read_file_if_exists(parent.get(), "none"));
    CHECK(error_of([&] { static_cast<void>(read_file_if_exists(parent.get(), "link")); }) == ELOOP);
    CHECK(read_file_if_exists(parent.get(), "link", Links::followed) == large);
    CHECK(error_of([&] { static_cast<void>(read_file_if_exists(parent.get(), "large/none")); }) == ENOTDIR);
}

TEST_CASE("a file that a user names is read to its limit, and only where it is a file", "[files]") {
    const tests::TemporaryDirectory directory;
    directory.write("small", "text");
    const std::string limit(1UL << 20U, 'x');
    directory.write("limit", limit);
    directory.write("larger", limit + "x");
    REQUIRE(::symlink("small", (directory.path() / "link").c_str()) == 0);
    REQUIRE(::mkfifo((directory.path() / "fifo").c_str(), 0600) == 0);
    const Fd parent = open_directory(AT_FDCWD, directory.path().string());
    const auto read = [&](const char* name) { return read_chosen_file(parent.get(), name, 1UL << 20U); };
    CHECK(read("small") == "text");
    CHECK(read("link") == "text");
    CHECK(read("limit") == limit);
    CHECK_FALSE(read("none"));
    CHECK_THROWS_AS(read("larger"), UnfitFile);
    CHECK_THROWS_WITH(read("larger"), "larger than 1 MiB");
    CHECK_THROWS_AS(read("fifo"), UnfitFile);
    CHECK_THROWS_WITH(read("fifo"), "not a regular file");
    CHECK_THROWS_AS(read("."), UnfitFile);
    CHECK_THROWS_WITH(read("."), "not a regular file");
}

TEST_CASE("a small value is read at once, and a file that is not there is an answer", "[files]") {
    const tests::TemporaryDirectory directory;
    directory.write("value", "12\n");
    directory.write("two", "1\n2\n");
    directory.write("empty", "");
    const Fd parent = open_directory(AT_FDCWD, directory.path().string());
    SmallBuffer buffer;
    CHECK(read_small(parent.get(), "value", buffer) == "12");
    CHECK(read_small(parent.get(), "two", buffer) == "1\n2");
    CHECK(read_small(parent.get(), "empty", buffer) == "");
    CHECK_FALSE(read_small(parent.get(), "none", buffer));
    CHECK_FALSE(read_small(parent.get(), ".", buffer));
}
