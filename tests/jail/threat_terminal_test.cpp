// A payload on real terminals: nothing of it reaches a line that is its caller's.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;

namespace {

// Both sides of a terminal: `line` is what a person types at and looks at.
struct Terminal {
    Terminal() : line(sys([] { return ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); }, "open a terminal")) {
        sys([&] { return ::unlockpt(line.get()); }, "unlock the terminal");
        inner = Fd(sys([&] { return ::ioctl(line.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); },
                       "open its other side"));
    }
    // Characters that wait to be read as if they had been typed.
    [[nodiscard]] int typed() const {
        int waiting = -1;
        sys([&] { return ::ioctl(inner.get(), FIONREAD, &waiting); }, "ask what was typed");
        return waiting;
    }
    [[nodiscard]] std::string said() const {
        std::string text(4096, '\0');
        text.resize(
            static_cast<std::size_t>(sys([&] { return ::read(line.get(), text.data(), text.size()); }, "read")));
        std::erase(text, '\r');
        return text;
    }
    Fd line;
    Fd inner;
};

}  // namespace

TEST_CASE("three different terminals for the three streams: none can be typed into", "[threat][terminal]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Terminal in;
    const Terminal out;
    const Terminal err;
    Start start = start_of(join({"--ids", ids}, bare()), {"/probe", "terminal"});
    const int streams[3] = {in.inner.get(), out.inner.get(), err.inner.get()};
    start.in_child = [&streams] {
        for (int i = 0; i < 3; ++i) ::dup2(streams[i], i);
        ::ioctl(0, TIOCSCTTY, 0);
    };
    REQUIRE(tests::support::run(start).code == 0);
    const std::string said = out.said();
    INFO(said);
    for (int i = 0; i < 3; ++i) CHECK(value_of(said, format("TIOCSTI-{}", i)) == "EPERM");
    // Not the payload's own terminal: it can neither be stolen nor change which processes it talks to.
    CHECK(value_of(said, "TIOCSCTTY") == "EPERM");
    CHECK(value_of(said, "TIOCSPGRP") == "ENOTTY");
    CHECK(value_of(said, "/dev/tty") == "ENXIO");
    for (const Terminal* terminal : {&in, &out, &err}) CHECK(terminal->typed() == 0);
    // The twin: outside, on a terminal of one's own, the group can be set and /dev/tty opens.
    Start outside{.argv = {probe_program(), "terminal"}};
    const Terminal own;
    outside.terminal = own.inner.get();
    outside.in_child = [] { ::ioctl(0, TIOCSCTTY, 0); };
    REQUIRE(tests::support::run(outside).code == 0);
    const std::string free = own.said();
    INFO(free);
    CHECK(value_of(free, "TIOCSPGRP") == "ok");
    CHECK(value_of(free, "/dev/tty") == "ok");
}

TEST_CASE("whatever the profile allows, the caller's terminal is not the payload's", "[threat][terminal]") {
    // Without a filter the kernel itself must refuse, because the terminal belongs to another session.
    const Workspace workspace;
    workspace.write("open.toml", "name = \"open\"\nseccomp = [\"open.json\"]\ncapabilities = []\n");
    workspace.write(
        "open.json",
        R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]})");
    const Terminal terminal;
    Start start = start_of(join(bare(), {"--profile", workspace.project() + "/open.toml"}), {"/probe", "terminal"});
    start.terminal = terminal.inner.get();
    start.in_child = [] { ::ioctl(0, TIOCSCTTY, 0); };
    const Result ran = tests::support::run(start);
    const std::string said = terminal.said();
    INFO(said);
    REQUIRE(ran.code == 0);
    for (int i = 0; i < 3; ++i) CHECK(value_of(said, format("TIOCSTI-{}", i)) != "ok");
    CHECK(value_of(said, "TIOCSCTTY") == "EPERM");
    CHECK(value_of(said, "TIOCSPGRP") == "ENOTTY");
    CHECK(terminal.typed() == 0);
}
