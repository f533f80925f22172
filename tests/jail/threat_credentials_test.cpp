// Rights that a payload could gain: from groups, from files with the setuid bit or capabilities, from a namespace
// inside its own.
#include <grp.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sandbox/os/format.hpp"
#include "tests/jail/hostile_root.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::format;
namespace fs = std::filesystem;

namespace {

// A profile without a filter and with every capability: what is denied then is denied by the jail itself.
std::string write_open_profile(const Workspace& workspace) {
    workspace.write("open.json", R"({"defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]})");
    workspace.write("open.toml", R"(name = "open"
seccomp = ["open.json"]
capabilities = ["chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "sys_admin",
                "sys_chroot", "sys_ptrace", "net_admin", "mknod"]
allow = ["mounts", "ptrace"]
)");
    return workspace.project() + "/open.toml";
}

}  // namespace

TEST_CASE("the caller's supplementary groups are not the payload's", "[threat][credentials]") {
    if (::geteuid() != 0) {
        // Without a range an ordinary user's jail keeps groups it cannot drop: they have no name in it, and cannot be
        // added to.
        CHECK(value_of(probe("single", {"syscall", format("{}", SYS_setgroups)}).out, format("{}", SYS_setgroups)) ==
              "EPERM");
        CHECK(value_of(probe("range", {"ids"}).out, "groups").empty());
        return;
    }
    const std::string ids = GENERATE("single", "range");
    Start start = start_of(join({"--ids", ids}, bare()), {"/probe", "ids"});
    start.in_child = [] {
        const gid_t groups[] = {4, 27, 1000};
        if (::setgroups(3, groups) != 0) ::_exit(99);
    };
    CHECK(value_of(tests::support::run(start).out, "groups").empty());
}

TEST_CASE("a group that is denied stays denied", "[threat][credentials]") {
    // CVE-2014-8989: who may drop groups in a namespace gets into what denies them by group.
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const HostileRoot root;
    const std::string denied = root.path() + "/denied";
    std::ofstream(denied) << "secret\n";
    fs::permissions(denied, static_cast<fs::perms>(0604));
    const Result map = root.run(ids, {}, {"/probe", "read", "/proc/self/setgroups"});
    if (ids == "single" && ::geteuid() != 0) {
        CHECK(map.out == "deny\n");
    } else {
        CHECK(map.out == "allow\n");
    }
}

TEST_CASE("a setuid file in a root gives nothing", "[threat][credentials]") {
    const std::string script =
        "cp /probe /tmp/p && chown 0:0 /tmp/p && chmod 6755 /tmp/p && "
        "exec setpriv --reuid 1000 --regid 1000 --clear-groups /tmp/p ids";
    const Result seen = shell("range", script);
    INFO(seen.err);
    REQUIRE(seen.code == 0);
    CHECK(value_of(seen.out, "euid") == "1000");
    CHECK(value_of(seen.out, "egid") == "1000");
}

TEST_CASE("a file capability in a root gives nothing", "[threat][credentials]") {
    const std::string script =
        "cp /probe /tmp/p && /probe set-filecap /tmp/p && "
        "exec setpriv --reuid 1000 --regid 1000 --clear-groups /tmp/p caps";
    const Result seen = shell("range", script);
    INFO(seen.out << seen.err);
    REQUIRE(seen.code == 0);
    CHECK(value_of(seen.out, "setxattr") == "ok");
    CHECK(value_of(seen.out, "CapEff") == "0000000000000000");
    CHECK(value_of(seen.out, "CapPrm") == "0000000000000000");
}

TEST_CASE("no user namespace can be made inside, whatever the filter allows", "[threat][credentials][nested]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Workspace workspace;
    const std::string profile = write_open_profile(workspace);
    const Result asked = tests::jail::run(join({"--ids", ids, "--profile", profile}, bare()),
                                          {"/probe", "unshare", format("{}", CLONE_NEWUSER)});
    INFO(asked.out << asked.err);
    REQUIRE(asked.code == 0);
    CHECK(value_of(asked.out, "unshare") == "EPERM");
    CHECK(value_of(asked.out, "clone") == "EPERM");
    // Behind the filter, the limit: the set-up has tried it.
    CHECK(tests::jail::run(join({"--ids", ids, "--profile", profile}, bare()),
                           {"/probe", "read", "/proc/sys/user/max_user_namespaces"})
              .out == "0\n");
    // Nor can it be allowed again from inside.
    const Result raised = tests::jail::run(join({"--ids", ids, "--profile", profile}, bare()),
                                           {"/probe", "write", "/proc/sys/user/max_user_namespaces", "100"});
    CHECK((value_of(raised.out, "open") != "ok" || value_of(raised.out, "write") != "ok"));
}

TEST_CASE("without a filter the jail's own fences still hold", "[threat][credentials]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Workspace workspace;
    const Canary canary(workspace.path() + "/canary");
    const std::string profile = write_open_profile(workspace);
    const auto open_probe = [&](const Words& command) {
        return tests::jail::run(join({"--ids", ids, "--profile", profile}, bare()), join({"/probe"}, command));
    };
    // Init, the processes outside, and what a procfs of another namespace would show.
    CHECK(value_of(open_probe({"ptrace", "1"}).out, "seize") == "EPERM");
    CHECK(value_of(open_probe({"ptrace", "1"}).out, "process_vm_readv") == "EPERM");
    CHECK(open_probe({"list", "/proc/1/root" + canary.path()}).code == 1);
    CHECK(open_probe({"pids"}).out == "1=stagebox-init\n2=probe\n");
    // Locked flags: what is bound read-only cannot be made writable by who may mount.
    const Words bound = join({"--ids", ids, "--profile", profile, "--ro-bind", canary.path(), "/canary"}, bare());
    const Result written = tests::jail::run(bound, {"/probe", "write", "/canary/file", "x"});
    CHECK(value_of(written.out, "open") == "EROFS");
    CHECK(canary.is_unchanged());
}
