#include "sandbox/os/caps.hpp"

#include <linux/capability.h>

#include <fstream>

#include "tests/support/catch.hpp"

using namespace sandbox;

TEST_CASE("capabilities are known by name, however it is written", "[caps]") {
    CHECK(capability_number("CAP_CHOWN") == CAP_CHOWN);
    CHECK(capability_number("cap_chown") == CAP_CHOWN);
    CHECK(capability_number("chown") == CAP_CHOWN);
    CHECK(capability_number("SYS_admin") == CAP_SYS_ADMIN);
    CHECK(capability_number("checkpoint_restore") == CAP_CHECKPOINT_RESTORE);
}

TEST_CASE("what is no name of a capability is none", "[caps]") {
    for (const char* name :
         {"", "cap_", "CAP_FLY", "chown ", " chown", "chown,kill", "all", "7", "cap_7", "cap_chownx"}) {
        INFO(name);
        CHECK_FALSE(capability_number(name));
    }
}

TEST_CASE("every capability's name leads back to it", "[caps]") {
    for (int number = 0; number <= CAP_LAST_CAP && number <= last_capability(); ++number) {
        INFO(number);
        CHECK(capability_number(capability_name(number)) == number);
    }
    CHECK(capability_name(CAP_SYS_CHROOT) == "CAP_SYS_CHROOT");
    CHECK(capability_name(63) == "CAP_63");
}

TEST_CASE("the last capability is the running kernel's", "[caps]") {
    std::ifstream file("/proc/sys/kernel/cap_last_cap");
    int last = -1;
    REQUIRE(file >> last);
    CHECK(last_capability() == last);
}

TEST_CASE("a mask is told in words", "[caps]") {
    CHECK(describe_capabilities(0) == "none");
    CHECK(describe_capabilities(capability_bit(CAP_CHOWN) | capability_bit(CAP_KILL)) == "chown, kill");
    CHECK(describe_capabilities(~std::uint64_t{0}) == "all");
    CHECK(describe_capabilities(capability_bit(last_capability() + 1) - 1) == "all");
    CHECK(describe_capabilities(capability_bit(63)) == "63");
}
