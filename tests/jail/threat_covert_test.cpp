// Ways from one jail to another, or to the host, that are no files: keyrings, abstract sockets, signals, locks.
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/os/format.hpp"
#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::format;

namespace {

std::string write_open_profile(const Workspace& workspace) {
    workspace.write("open.json", R"({"defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]})");
    workspace.write("open.toml",
                    "name = \"open\"\nseccomp = [\"open.json\"]\ncapabilities = [\"kill\"]\n"
                    "allow = [\"new-keyrings\", \"ptrace\", \"host-network\"]\n");
    return workspace.project() + "/open.toml";
}

Result open_probe(const std::string& profile, const Words& options, const Words& command) {
    return tests::jail::run(join(join({"--profile", profile}, options), bare()), join({"/probe"}, command));
}

}  // namespace

TEST_CASE("a key of the caller's session is not found in a jail", "[threat][covert][keyring]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Workspace workspace;
    const std::string profile = write_open_profile(workspace);
    const std::string marker = unique_marker();
    Start start = start_of(join({"--ids", ids, "--profile", profile}, bare()), {"/probe", "find-key", marker});
    start.in_child = [&marker] {
        // A session of the test's own, so that nothing stays behind.
        ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
        if (::syscall(SYS_add_key, "user", marker.c_str(), "x", 1, KEY_SPEC_SESSION_KEYRING) < 0) ::_exit(99);
    };
    const Result seen = tests::support::run(start);
    INFO(seen.out << seen.err);
    REQUIRE(seen.code == 0);
    CHECK(value_of(seen.out, "session") == "ENOKEY");
    CHECK(value_of(seen.out, "request_key") == "ENOKEY");
    // The twin: outside, it is there.
    Start outside{.argv = {probe_program(), "find-key", marker}};
    outside.in_child = start.in_child;
    CHECK(value_of(tests::support::run(outside).out, "session") == "ok");
}

TEST_CASE("a key that one jail leaves is not found in the next, nor outside", "[threat][covert][keyring]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Workspace workspace;
    const std::string profile = write_open_profile(workspace);
    const std::string marker = unique_marker();
    const Result left = open_probe(profile, {"--ids", ids}, {"add-key", marker});
    INFO(left.out);
    REQUIRE(left.code == 0);
    CHECK((value_of(left.out, "session") == "ok" || value_of(left.out, "user") == "ok"));
    for (const Result& seen :
         {open_probe(profile, {"--ids", ids}, {"find-key", marker}), probe_outside({"find-key", marker})}) {
        INFO(seen.out);
        CHECK(value_of(seen.out, "session") != "ok");
        CHECK(value_of(seen.out, "user") != "ok");
    }
}

TEST_CASE("an abstract socket of the host is not reached, nor one of another jail", "[threat][covert]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Listener listener;
    CHECK(value_of(probe(ids, {"connect-unix", listener.name()}).out, "connect") == "ECONNREFUSED");
    const std::string name = unique_marker();
    Process other(start_of(join({"--ids", ids}, bare()), {"/probe", "listen-abstract", name, "20"}));
    other.wait_for("listen=ok");
    CHECK(value_of(probe(ids, {"connect-unix", "@" + name}).out, "connect") == "ECONNREFUSED");
    // The twin: outside of a jail the host's is reached.
    CHECK(value_of(probe_outside({"connect-unix", listener.name()}).out, "connect") == "ok");
}

TEST_CASE("with the host's network, the host's abstract sockets are still out of reach", "[threat][covert][landlock]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Listener listener;
    const Words shared = join({"--ids", ids, "--share-net"}, bare());
    CHECK(value_of(tests::jail::run(shared, {"/probe", "connect-unix", listener.name()}).out, "connect") == "EPERM");
    // The twin: the network itself is there.
    CHECK(value_of(tests::jail::run(shared, {"/probe", "connect-inet", "127.0.0.1", listener.port()}).out, "connect") ==
          "ok");
}

TEST_CASE("no process outside can be signalled", "[threat][covert]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    Process outside({.argv = {probe_program(), "sleep", "30"}});
    outside.wait_for("sleeping=");
    // Its number means nothing in the jail; -1 is everybody the sender sees.
    CHECK(value_of(probe(ids, {"kill", format("{}", outside.pid()), "9"}).out, "kill") == "ESRCH");
    static_cast<void>(probe(ids, {"kill", "-1", "9"}));
    CHECK(::kill(outside.pid(), 0) == 0);
    // Init does not end by a signal from inside, SIGKILL included.
    for (const char* number : {"9", "15", "19", "11"}) {
        const Result after = tests::jail::run(join({"--ids", ids}, with_programs()),
                                              {"sh", "-c", format("/probe kill 1 {}; echo alive", number)});
        CHECK(after.out.ends_with("alive\n"));
    }
}

TEST_CASE("a lock that one jail held is gone with it", "[threat][covert]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const std::string file = "/probe";
    CHECK(value_of(probe(ids, {"lock", file}).out, "flock") == "ok");
    CHECK(value_of(probe(ids, {"lock", file}).out, "flock") == "ok");
    CHECK(value_of(probe_outside({"lock", probe_program()}).out, "flock") == "ok");
}

TEST_CASE("message queues and shared memory are each jail's own", "[threat][covert]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const std::string leave =
        "ipcmk -Q >/dev/null && ipcmk -M 4096 >/dev/null && ipcmk -S 1 >/dev/null && ipcs | grep -c 0x";
    const std::string look = "ipcs | grep -c 0x; true";
    const Words root = join(join({"--ids", ids}, with_programs()), {"--mqueue", "/dev/mqueue"});
    CHECK(tests::jail::run(root, {"sh", "-c", leave}).out == "3\n");
    CHECK(tests::jail::run(root, {"sh", "-c", look}).out == "0\n");
    CHECK(tests::jail::run(root, {"sh", "-c", "touch /dev/mqueue/x; ls /dev/mqueue"}).out == "x\n");
    CHECK(tests::jail::run(root, {"sh", "-c", "ls /dev/mqueue"}).out.empty());
}
