// Descriptors that a caller left open: none of them is the payload's, and no path leads through one (CVE-2024-21626).
#include <fcntl.h>
#include <unistd.h>

#include <sstream>

#include "sandbox/os/format.hpp"
#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::format;

namespace {

constexpr int first = 3;
constexpr int last = 202;

// Handles on the host's root directory, inheritable.
void leave_directories_open() {
    const int root = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int fd = first; fd <= last; ++fd) {
        if (fd != root) ::dup2(root, fd);
    }
    ::fcntl(root, F_SETFD, 0);
}

Result run_with_open_directories(const Words& options, const Words& command) {
    Start start = start_of(options, command);
    start.in_child = leave_directories_open;
    return tests::support::run(start);
}

}  // namespace

TEST_CASE("200 directories that the caller left open are not the payload's", "[threat][descriptors]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Result seen = run_with_open_directories(join({"--ids", ids}, bare()), {"/probe", "fds"});
    REQUIRE(seen.code == 0);
    std::istringstream lines(seen.out);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        INFO(line);
        CHECK((line.starts_with("0=") || line.starts_with("1=") || line.starts_with("2=")));
        CHECK_FALSE(line.ends_with("=/"));
    }
    CHECK(count == 3);
    // Nor init's: what is behind its descriptors is closed to the payload.
    const Result init = run_with_open_directories(join({"--ids", ids}, bare()), {"/probe", "open-init"});
    CHECK(value_of(init.out, "fd") == "EACCES");
}

TEST_CASE("no working directory leads through a descriptor", "[threat][descriptors]") {
    const std::string ids = GENERATE("single", "range");
    for (const char* process : {"self", "1", "thread-self"}) {
        for (int fd = first; fd <= last; fd += 7) {
            const std::string place = format("/proc/{}/fd/{}", process, fd);
            INFO(ids << " " << place);
            const Result refused =
                run_with_open_directories(join({"--ids", ids, "--chdir", place}, bare()), {"/probe", "cwd"});
            INFO(refused.err);
            CHECK(refused.code == 125);
            CHECK(refused.out.empty());
            CHECK(refused.err.find(place) != std::string::npos);
        }
    }
    // The twin.
    const Words elsewhere = join({"--ids", ids, "--dir", "/work", "--chdir", "/work"}, bare());
    CHECK(run_with_open_directories(elsewhere, {"/probe", "cwd"}).out == "cwd=/work\n");
}

TEST_CASE("a working directory is never outside of the root", "[threat][descriptors]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    for (const char* place : {"/proc/self/root", "/proc/1/root", "/proc/1/cwd", "/proc/self/cwd", "/../../.."}) {
        INFO(place);
        const Result seen = tests::jail::run(join({"--ids", ids, "--chdir", place}, bare()), {"/probe", "cwd"});
        INFO(seen.err);
        CHECK((seen.code == 125 || seen.out == "cwd=/\n"));
    }
}

TEST_CASE("a directory for a standard stream is no way out", "[threat][descriptors]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    Start start = start_of(join({"--ids", ids, "--chdir", "/proc/self/fd/0"}, bare()), {"/probe", "list", "."});
    start.in_child = [] { ::dup2(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0); };
    const Result refused = tests::support::run(start);
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
}
