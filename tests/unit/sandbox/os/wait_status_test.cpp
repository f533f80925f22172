#include "sandbox/os/wait_status.hpp"

#include "sandbox/os/process.hpp"
#include "tests/support/catch.hpp"

using sandbox::os::in_words;
using sandbox::os::WaitStatus;

TEST_CASE("an exit is told from a signal, and both from an end that nobody saw", "[wait-status]") {
    constexpr auto done = WaitStatus::exited(0);
    CHECK(done.is_seen());
    CHECK(done.has_exited());
    CHECK(done.has_exited(0));
    CHECK_FALSE(done.has_exited(1));
    CHECK(done.signal() == 0);
    CHECK(done.shell_code() == 0);
    CHECK(in_words(WaitStatus::exited(3)) == "ended with exit code 3");

    constexpr auto killed = WaitStatus::signaled(SIGTERM);
    CHECK(killed.is_seen());
    CHECK_FALSE(killed.has_exited());
    CHECK_FALSE(killed.has_exited(SIGTERM));
    CHECK(killed.signal() == SIGTERM);
    CHECK(killed.shell_code() == 143);
    CHECK(in_words(killed) == "was ended by signal 15 (Terminated)");
    CHECK(WaitStatus{CLD_DUMPED, SIGSEGV}.signal() == SIGSEGV);

    constexpr WaitStatus unseen;
    CHECK_FALSE(unseen.is_seen());
    CHECK_FALSE(unseen.has_exited());
    CHECK(unseen.signal() == 0);
    CHECK(unseen.shell_code() == 137);
}

TEST_CASE("what wait4 answers is the same value", "[wait-status]") {
    CHECK(WaitStatus::of_wait(7 << 8).has_exited(7));
    CHECK(WaitStatus::of_wait(0).has_exited(0));
    CHECK(WaitStatus::of_wait(SIGKILL).signal() == SIGKILL);
    CHECK(WaitStatus::of_wait(SIGABRT | 0x80).signal() == SIGABRT);  // with a core file
}

TEST_CASE("an end that cannot be is known as such", "[wait-status]") {
    CHECK(WaitStatus::exited(255).is_possible());
    CHECK(WaitStatus{CLD_DUMPED, SIGSEGV}.is_possible());
    CHECK_FALSE(WaitStatus{}.is_possible());
    CHECK_FALSE(WaitStatus{CLD_STOPPED, SIGSTOP}.is_possible());
    CHECK_FALSE(WaitStatus::exited(-1).is_possible());
    CHECK_FALSE(WaitStatus::exited(256).is_possible());
}
