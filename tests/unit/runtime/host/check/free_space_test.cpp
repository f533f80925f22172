#include "runtime/host/check/free_space.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using namespace runtime::host;

namespace {

struct statvfs file_system(unsigned long blocks, unsigned long available, unsigned long inodes,
                           unsigned long free_inodes) {
    struct statvfs about = {};
    about.f_frsize = 4096;
    about.f_blocks = blocks;
    about.f_bavail = available;
    about.f_files = inodes;
    about.f_favail = free_inodes;
    return about;
}

constexpr unsigned long gigabyte = (1UL << 30U) / 4096;

}  // namespace

TEST_CASE("a file system with room for nothing is harm, with little a warning", "[session][space]") {
    const auto severity = [](const struct statvfs& about, double expected = 0) {
        const Findings findings = judge_room("/srv", about, expected);
        if (findings.empty()) return std::string("silent");
        REQUIRE(findings.size() == 1);
        CHECK(findings[0].topic == "space");
        if (findings[0].severity == Severity::harm) return std::string("harm");
        return std::string(findings[0].severity == Severity::warning ? "warning" : "info");
    };
    CHECK(severity(file_system(100 * gigabyte, 50 * gigabyte, 1000000, 500000)) == "info");
    CHECK(severity(file_system(100 * gigabyte, 0, 1000000, 500000)) == "harm");
    CHECK(severity(file_system(100 * gigabyte, 50, 1000000, 500000)) == "harm");
    CHECK(severity(file_system(100 * gigabyte, gigabyte / 4, 1000000, 500000)) == "warning");
    CHECK(severity(file_system(100 * gigabyte, 50 * gigabyte, 1000000, 0)) == "harm");
    CHECK(severity(file_system(100 * gigabyte, 50 * gigabyte, 1000000, 9999)) == "warning");
    INFO("btrfs makes inodes as they are needed, and says that there are none");
    CHECK(severity(file_system(100 * gigabyte, 50 * gigabyte, 0, 0)) == "info");
    INFO("ramfs does not count");
    CHECK(severity(file_system(0, 0, 0, 0)) == "silent");
    CHECK(severity(file_system(100 * gigabyte, 50 * gigabyte, 1000000, 500000), 60.0 * (1U << 30U)) == "warning");
    INFO("a file system larger than 64 bits of bytes is not a full one");
    CHECK(severity(file_system(~0UL, ~0UL, ~0UL, ~0UL)) == "info");
}

TEST_CASE("a directory that is not there yet is judged by its nearest parent", "[session][space]") {
    const tests::TemporaryDirectory here;
    const std::string root = here.path().string();
    for (const Finding& finding : check_room(root + "/not/there/yet")) CHECK(finding.topic == "space");
    if (::geteuid() == 0) return;  // root may write everywhere
    REQUIRE(::chmod(root.c_str(), 0500) == 0);
    const Findings findings = check_room(root + "/not");
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].severity == Severity::harm);
    CHECK(findings[0].problem.remedy == "ls -ld " + root);
    REQUIRE(::chmod(root.c_str(), 0700) == 0);
}

TEST_CASE("a file that cannot be read is harm before a stage reads it", "[session][space]") {
    const tests::TemporaryDirectory here;
    CHECK(check_readable(here.write("a", ""), "the input a").empty());
    REQUIRE(check_readable(here.path().string() + "/none", "the input a").size() == 1);
    CHECK(check_readable(here.path().string() + "/none", "the input a")[0].severity == Severity::harm);
}
