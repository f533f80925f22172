#include "sandbox/probe/probe.hpp"

#include "tests/support/catch.hpp"

using namespace sandbox;

TEST_CASE("a kernel is known by its first two numbers", "[probe]") {
    for (const char* release : {"5.12", "5.12.0", "5.15.153.1-microsoft-standard-WSL2", "6.1.0-18-amd64",
                                "6.8.0-45-generic", "6.12.1-arch1-1", "10.0", "5.100.7"}) {
        CAPTURE(release);
        const Finding found = judge_kernel(release, "x86_64");
        CHECK(found.status == Status::ok);
        CHECK(found.problem.what == std::string("Linux ") + release + " x86_64");
        CHECK(found.problem.remedy.empty());
    }
}

TEST_CASE("an older kernel, or one without numbers, is said to need a newer one", "[probe]") {
    for (const char* release : {"5.10.0-28-amd64", "5.11.99", "4.19.0", "3.10.0-1160.el7.x86_64", "", "6", "6.", "x.12",
                                "linux-6.1", "-6.1", "99999999999.1", "5.99999999999", "\xff.12"}) {
        CAPTURE(release);
        const Finding found = judge_kernel(release, "aarch64");
        CHECK(found.status == Status::limited);
        CHECK(found.problem.remedy == "Linux 5.12 or later");
    }
}

TEST_CASE("a machine can be used where nothing is missing, whatever is limited", "[probe]") {
    CHECK(usable({}));
    CHECK(usable({{"a", Status::ok, "", ""}, {"b", Status::limited, "", ""}}));
    CHECK_FALSE(usable({{"a", Status::ok, "", ""}, {"b", Status::missing, "", ""}}));
}
