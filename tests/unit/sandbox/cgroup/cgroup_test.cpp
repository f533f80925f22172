#include "sandbox/cgroup/cgroup.hpp"

#include <fcntl.h>

#include "sandbox/os/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using namespace sandbox;

TEST_CASE("a count is the number behind its word, at the beginning of a line", "[cgroup]") {
    const std::string events = "low 0\nhigh 3\nmax 0\noom 1\noom_kill 2\noom_group_kill 0";
    CHECK(find_count(events, "oom") == 1U);
    CHECK(find_count(events, "oom_kill") == 2U);
    CHECK(find_count(events, "oom_group_kill") == 0U);
    CHECK(find_count(events, "kill") == std::nullopt);
    CHECK(find_count(events, "") == std::nullopt);
    CHECK(find_count("", "oom") == std::nullopt);
    CHECK(find_count("oom\n", "oom") == std::nullopt);
    CHECK(find_count("oom x\n", "oom") == std::nullopt);
    CHECK(find_count("oom -1\n", "oom") == std::nullopt);
    INFO("a number past 64 bits is none, and wraps around to nothing");
    CHECK(find_count("oom 18446744073709551616\n", "oom") == std::nullopt);
    CHECK(find_count("oom 18446744073709551615\n", "oom") == 18446744073709551615U);
}

TEST_CASE("what each device has read and written is added up", "[cgroup]") {
    const std::string io =
        "8:0 rbytes=4096 wbytes=100 rios=1 wios=1 dbytes=0 dios=0\n"
        "254:0 rbytes=1 wbytes=200 rios=1 wios=1 dbytes=0 dios=0\n"
        "7:0 \n259:0 wbytes=x rbytes=";
    CHECK(sum_counts(io, "rbytes") == 4097);
    CHECK(sum_counts(io, "wbytes") == 300);
    CHECK(sum_counts(io, "bytes") == 0);
    CHECK(sum_counts("", "rbytes") == 0);
}

TEST_CASE("a cgroup's file that is not there or cannot be read has no text", "[cgroup]") {
    const tests::TemporaryDirectory here;
    here.write("memory.peak", "123\n");
    here.write("folder/x", "");
    const os::Fd directory = os::open_directory(AT_FDCWD, here.path().string());
    CHECK(read_cgroup_file(directory.get(), "memory.peak") == "123\n");
    CHECK(read_cgroup_file(directory.get(), "pids.peak") == std::nullopt);
    CHECK(read_cgroup_file(directory.get(), "folder") == std::nullopt);
    CHECK_THROWS_WITH(write_cgroup_file(directory.get(), "pids.max", "1"), Catch::Contains("the cgroup's pids.max"));
}
