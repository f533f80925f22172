#include "runtime/engine/input_digest.hpp"

#include <sys/stat.h>

#include "sandbox/os/sys.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using namespace runtime;

namespace {

// SIGUSR2, blocked as a build blocks the signals that end it.
class Blocked {
  public:
    Blocked() {
        ::sigemptyset(&signals_);
        ::sigaddset(&signals_, SIGUSR2);
        ::sigprocmask(SIG_BLOCK, &signals_, nullptr);
    }
    Blocked(const Blocked&) = delete;
    Blocked& operator=(const Blocked&) = delete;
    ~Blocked() {
        const timespec at_once{};
        ::sigtimedwait(&signals_, nullptr, &at_once);
        ::sigprocmask(SIG_UNBLOCK, &signals_, nullptr);
    }
    [[nodiscard]] const sigset_t* get() const { return &signals_; }

  private:
    sigset_t signals_ = {};
};

}  // namespace

TEST_CASE("input digest: another process answers the same", "[input]") {
    const tests::TemporaryDirectory place;
    place.write("file", "content");
    const Blocked ending;
    const store::TreeFacts here = engine::digest_input(place.path(), "file", nullptr);
    const store::TreeFacts there = engine::digest_input(place.path(), "file", ending.get());
    CHECK(there.digest == here.digest);
    CHECK(there.bytes == 7);
    CHECK(there.entries == 1);
    CHECK_FALSE(there.is_directory);
}

TEST_CASE("input digest: what is wrong with an input comes through", "[input]") {
    const tests::TemporaryDirectory place;
    const Blocked ending;
    REQUIRE(::mkfifo((place.path() / "pipe").c_str(), 0600) == 0);
    CHECK_THROWS_WITH(engine::digest_input(place.path(), "pipe", ending.get()), "pipe is a device, a socket or a FIFO");
    CHECK_THROWS_AS(engine::digest_input(place.path(), "nothing", ending.get()), sandbox::os::SysError);
    CHECK_THROWS_WITH(engine::digest_input(place.path(), "nothing", ending.get()),
                      "look at nothing: No such file or directory");
}

TEST_CASE("input digest: a signal that is pending ends it, and stays pending", "[input]") {
    const tests::TemporaryDirectory place;
    place.write("file", "content");
    const Blocked ending;
    ::raise(SIGUSR2);
    CHECK_THROWS_AS(engine::digest_input(place.path(), "file", ending.get()), engine::Interrupted);
    sigset_t pending;
    ::sigpending(&pending);
    CHECK(::sigismember(&pending, SIGUSR2) == 1);
}
