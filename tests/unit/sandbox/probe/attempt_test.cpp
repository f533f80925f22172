#include "sandbox/probe/attempt.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>

#include "sandbox/os/sys.hpp"
#include "tests/support/catch.hpp"

using namespace sandbox;

TEST_CASE("what is tried in a child says what failed, and leaves this process as it was", "[probe]") {
    const pid_t here = ::getpid();
    CHECK(attempt({}, [] {}).works());
    const Attempt refused = attempt({}, [] { throw os::SysError(EPERM, "mount proc"); });
    CHECK(refused.error == EPERM);
    CHECK(refused.problem.what == "mount proc: Operation not permitted");
    const Attempt odd = attempt({}, [] { throw std::runtime_error("something else"); });
    CHECK(odd.error == EINVAL);
    CHECK(::getpid() == here);
}

TEST_CASE("a child that dies without a word is an attempt that failed", "[probe]") {
    CHECK_FALSE(attempt({}, [] { ::raise(SIGKILL); }).works());
    CHECK_FALSE(attempt({}, [] { ::_exit(0); }).works());
}

TEST_CASE("a sentence that is too long for the child's line is cut", "[probe]") {
    const Attempt refused = attempt({}, [] { throw os::SysError(EPERM, std::string(10000, 'x')); });
    CHECK(refused.error == EPERM);
    CHECK(refused.problem.what == std::string(251, 'x') + ": Operation not permitted");
}
