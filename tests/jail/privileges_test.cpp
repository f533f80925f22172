// What a payload may do: ids, capabilities, system calls, and how far it gets with init and with /proc.
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sstream>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::format;
using sandbox::os::sys;

namespace {

bool is_denied(const std::string& answer) {
    return answer == "EPERM" || answer == "ENOSYS";
}

std::string answer_to(long number, const Words& arguments = {}) {
    const Result asked = probe("single", join({"syscall", format("{}", number)}, arguments));
    return value_of(asked.out, format("{}", number));
}

}  // namespace

TEST_CASE("the five capability sets are the profile's", "[privileges][threat][credentials]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    std::uint64_t kept = 0;
    for (const int capability : {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID,
                                 CAP_SETFCAP, CAP_SYS_CHROOT}) {
        kept |= std::uint64_t{1} << static_cast<unsigned>(capability);
    }
    const Result seen = probe(ids, {"caps"});
    REQUIRE(seen.code == 0);
    const std::string mask = format("{:016x}", kept);
    CHECK(value_of(seen.out, "CapInh") == "0000000000000000");
    CHECK(value_of(seen.out, "CapAmb") == "0000000000000000");
    CHECK(value_of(seen.out, "CapPrm") == mask);
    CHECK(value_of(seen.out, "CapEff") == mask);
    CHECK(value_of(seen.out, "CapBnd") == mask);
    CHECK(value_of(seen.out, "NoNewPrivs") == "1");
    CHECK(value_of(seen.out, "Seccomp") == "2");
}

TEST_CASE("a payload is the jail's root, a leader of its own session, in no other group",
          "[privileges][threat][credentials]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Result seen = probe(ids, {"ids"});
    REQUIRE(seen.code == 0);
    for (const char* key : {"ruid", "euid", "suid", "rgid", "egid", "sgid"}) CHECK(value_of(seen.out, key) == "0");
    CHECK(value_of(seen.out, "sid") == value_of(seen.out, "pid"));
    CHECK(value_of(seen.out, "ppid") == "1");
    if (ids == "range" || ::geteuid() == 0) {
        CHECK(value_of(seen.out, "groups").empty());
    } else {
        CHECK(probe(ids, {"read", "/proc/self/setgroups"}).out == "deny\n");
    }
}

TEST_CASE("a range has 65536 ids that files can have; a single id stands alone", "[privileges][threat][credentials]") {
    const Result range = shell("range", "echo x >/tmp/x; chown 12345:65535 /tmp/x && stat -c %u:%g /tmp/x");
    CHECK(range.out == "12345:65535\n");
    CHECK(shell("range", "echo x >/tmp/x; chown 65536 /tmp/x").err.find("Invalid argument") != std::string::npos);
    CHECK(shell("single", "echo x >/tmp/x; chown 0:0 /tmp/x && stat -c %u:%g /tmp/x").out == "0:0\n");
    CHECK(shell("single", "echo x >/tmp/x; chown 1 /tmp/x").err.find("Invalid argument") != std::string::npos);
    // Never the host's root, also where the host's root asks.
    const std::string map = probe("single", {"read", "/proc/self/uid_map"}).out;
    std::istringstream fields(map);
    unsigned inner = 1;
    unsigned outer = 0;
    fields >> inner >> outer;
    CHECK(inner == 0);
    CHECK(outer != 0);
}

TEST_CASE("system calls that reach beyond the jail answer EPERM or ENOSYS", "[privileges][threat][syscalls]") {
    const std::vector<std::pair<const char*, long>> calls = {
        {"mount", SYS_mount},
        {"umount2", SYS_umount2},
        {"pivot_root", SYS_pivot_root},
        {"fsopen", SYS_fsopen},
        {"fsmount", SYS_fsmount},
        {"open_tree", SYS_open_tree},
        {"move_mount", SYS_move_mount},
        {"mount_setattr", SYS_mount_setattr},
        {"unshare", SYS_unshare},
        {"setns", SYS_setns},
        {"ptrace", SYS_ptrace},
        {"process_vm_writev", SYS_process_vm_writev},
        {"kcmp", SYS_kcmp},
        {"pidfd_getfd", SYS_pidfd_getfd},
        {"keyctl", SYS_keyctl},
        {"add_key", SYS_add_key},
        {"request_key", SYS_request_key},
        {"bpf", SYS_bpf},
        {"perf_event_open", SYS_perf_event_open},
        {"io_uring_setup", SYS_io_uring_setup},
        {"io_uring_enter", SYS_io_uring_enter},
        {"userfaultfd", SYS_userfaultfd},
        {"open_by_handle_at", SYS_open_by_handle_at},
        {"init_module", SYS_init_module},
        {"finit_module", SYS_finit_module},
        {"kexec_load", SYS_kexec_load},
        {"reboot", SYS_reboot},
        {"swapon", SYS_swapon},
        {"settimeofday", SYS_settimeofday},
        {"clock_settime", SYS_clock_settime},
        {"syslog", SYS_syslog},
        {"quotactl", SYS_quotactl},
        {"acct", SYS_acct},
        {"sethostname", SYS_sethostname},
    };
    for (const auto& [name, number] : calls) {
        INFO(name);
        CHECK(is_denied(answer_to(number)));
    }
    CHECK(answer_to(SYS_clone3) == "ENOSYS");
    // The twins: what a build needs.
    CHECK(answer_to(SYS_getuid) == "0");
    CHECK(answer_to(SYS_umask) == "18");
    CHECK(answer_to(SYS_dup, {"1"}) == "3");
}

TEST_CASE("new namespaces cannot be had, whatever the call", "[privileges][threat][syscalls]") {
    for (const int flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS,
                           CLONE_NEWCGROUP, CLONE_NEWUSER | CLONE_NEWNS}) {
        INFO(flag);
        const Result asked = probe("range", {"unshare", format("{}", flag)});
        CHECK(value_of(asked.out, "unshare") == "EPERM");
        CHECK(value_of(asked.out, "clone") == "EPERM");
    }
    CHECK(value_of(probe("range", {"unshare", "0"}).out, "clone") == "ok");
}

TEST_CASE("mounts cannot be made, copied or removed", "[privileges][threat][syscalls]") {
    const Result asked = tests::jail::run(join(bare(), {"--dir", "/target"}), {"/probe", "mount-tmpfs", "/target"});
    REQUIRE(asked.code == 0);
    for (const char* key : {"mount", "fsopen", "open_tree", "umount"}) {
        INFO(key);
        CHECK(is_denied(value_of(asked.out, key)));
    }
}

TEST_CASE("unknown system calls answer ENOSYS in each ABI", "[privileges][threat][syscalls]") {
    const auto all_answer_enosys = [](const Words& abi, const std::string& range, std::size_t count) {
        const Result asked = probe("single", join(join({"syscall"}, abi), {range}));
        std::istringstream lines(asked.out);
        std::size_t answers = 0;
        for (std::string line; std::getline(lines, line); ++answers) {
            INFO(line);
            // A call that has a fence of its own answers EPERM in every ABI that has it.
            CHECK((line.ends_with("=ENOSYS") || (!abi.empty() && line.ends_with("=EPERM"))));
        }
        CHECK(answers == count);
    };
    all_answer_enosys({}, "600-640", 41);
    all_answer_enosys({}, "1023", 1);
#if defined(__x86_64__)
    all_answer_enosys({"--x32"}, "39", 1);        // getpid
    all_answer_enosys({"--x32"}, "512-547", 36);  // those that only x32 has
    const Result outside = probe_outside({"syscall", "--i386", "20"});
    if (outside.code != 0) {
        unavailable("32-bit system calls");
        return;
    }
    all_answer_enosys({"--i386"}, "600-640", 41);
    const auto i386 = [](const char* number) {
        return value_of(probe("single", {"syscall", "--i386", number}).out, number);
    };
    CHECK(i386("20") == "2");       // getpid
    CHECK(is_denied(i386("21")));   // mount
    CHECK(is_denied(i386("26")));   // ptrace
    CHECK(is_denied(i386("102")));  // socketcall
    CHECK(is_denied(i386("310")));  // unshare
    CHECK(is_denied(i386("346")));  // setns
    CHECK(is_denied(i386("357")));  // bpf
#endif
}

TEST_CASE("sockets are those of programs, not of the kernel's insides", "[privileges][threat][syscalls]") {
    const auto socket_of = [](int family, int type, int protocol) {
        return answer_to(SYS_socket, {format("{}", family), format("{}", type), format("{}", protocol)});
    };
    for (const int family : {AF_VSOCK, AF_ALG, AF_PACKET, AF_BLUETOOTH, AF_TIPC}) {
        INFO(family);
        const std::string answer = socket_of(family, SOCK_STREAM, 0);
        CHECK((is_denied(answer) || answer == "EAFNOSUPPORT"));
    }
    constexpr int netfilter = 12;
    CHECK(socket_of(AF_NETLINK, SOCK_RAW, netfilter) == "EAFNOSUPPORT");
    CHECK(socket_of(AF_UNIX, SOCK_STREAM, 0) == "3");
    CHECK(socket_of(AF_INET, SOCK_STREAM, 0) == "3");
    const Result asked = probe("single", {"connect-unix", "/nobody"});
    CHECK(value_of(asked.out, "socket") == "ok");
    CHECK(value_of(asked.out, "connect") == "ENOENT");
}

TEST_CASE("init is closed to the payload", "[privileges][threat][runner]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Result asked = probe(ids, {"open-init"});
    REQUIRE(asked.code == 0);
    std::istringstream lines(asked.out);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        INFO(line);
        CHECK_FALSE(line.ends_with("=ok"));
    }
    CHECK(count >= 10);
    CHECK(is_denied(value_of(probe(ids, {"ptrace", "1"}).out, "seize")));
    CHECK(is_denied(value_of(probe(ids, {"ptrace", "1"}).out, "process_vm_readv")));
    // The twin: its own are open to it.
    CHECK(probe(ids, {"read", "/proc/self/environ"}).code == 0);
}

TEST_CASE("what /proc and /sys let root change cannot be changed", "[privileges][threat][masks]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    for (const char* path : {"/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches",
                             "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity"}) {
        INFO(path);
        const std::string answer = value_of(probe(ids, {"write", path, "x"}).out, "open");
        CHECK((answer == "EROFS" || answer == "EACCES" || answer == "ENOENT"));
    }
    const Result sysfs = tests::jail::run({"--ids", ids}, {"sh", "-c", "echo x > /sys/power/state"});
    CHECK(sysfs.code != 0);
    CHECK(value_of(probe(ids, {"write", "/proc/self/comm", "renamed"}).out, "write") == "ok");
}

TEST_CASE("what of /proc would show the host is hidden, where the kernel has it", "[privileges][threat][masks]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    for (const char* path : {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                             "/proc/sched_debug", "/proc/scsi", "/proc/timer_list"}) {
        INFO(path);
        const Result asked = probe(ids, {"read", path});
        if (value_of(asked.out, "read") == "EISDIR") {
            CHECK(probe(ids, {"list", path}).out.empty());
        } else {
            const std::string answer = value_of(asked.out, "open");
            CHECK((answer == "EACCES" || answer == "ENOENT"));
        }
    }
    CHECK(probe(ids, {"read", "/proc/uptime"}).code == 0);
}

TEST_CASE("a payload can neither type into its caller's terminal nor change it", "[privileges][threat][terminal]") {
    const sandbox::os::Fd outer(sys([] { return ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); }, "open a terminal"));
    sys([&] { return ::grantpt(outer.get()); }, "set the terminal up");
    sys([&] { return ::unlockpt(outer.get()); }, "unlock the terminal");
    const sandbox::os::Fd inner(
        sys([&] { return ::ioctl(outer.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); }, "open its other side"));
    // The caller's own controlling terminal, so that only the jail is in the way.
    Start start = start_of(bare(), {"/probe", "tiocsti"});
    start.terminal = inner.get();
    start.in_child = [] { ::ioctl(0, TIOCSCTTY, 0); };
    REQUIRE(tests::support::run(start).code == 0);
    std::string said(4096, '\0');
    said.resize(static_cast<std::size_t>(::read(outer.get(), said.data(), said.size())));
    std::erase(said, '\r');
    INFO(said);
    for (const char* key : {"TIOCSTI", "TIOCSTI-high", "TIOCSTI-all", "TIOCLINUX", "TIOCSETD", "TIOCSCTTY"}) {
        INFO(key);
        CHECK(value_of(said, key) == "EPERM");
    }
    int waiting = 0;
    REQUIRE(::ioctl(inner.get(), FIONREAD, &waiting) == 0);
    CHECK(waiting == 0);
    // The twin: asking for its size is allowed.
    start = start_of(with_programs(), {"stty", "size"});
    start.terminal = inner.get();
    CHECK(tests::support::run(start).code == 0);
}
