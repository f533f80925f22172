// Profiles: how they are read, and what the one that ships allows, call by call.
#include "sandbox/profile.hpp"

#include <linux/audit.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "sandbox/caps.hpp"
#include "sandbox/filter.hpp"
#include "sandbox/profile_data.hpp"
#include "tests/unit/bpf.hpp"

using namespace sandbox;
using test::allowed;
using test::fails_with;
using test::run_filter;

namespace {

const FilterProgram& build_filter() {
    static const Profile profile = load_profile("build");
    return profile.filter;
}

// A folder of its own, gone at the end.
class Folder {
  public:
    Folder() { REQUIRE(::mkdtemp(path_) != nullptr); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        for (const std::string& name : names_) ::unlink((path() + name).c_str());
        ::rmdir(path_);
    }
    [[nodiscard]] std::string path() const { return std::string(path_) + "/"; }
    std::string write(const std::string& name, std::string_view text) {
        names_.push_back(name);
        std::ofstream(path() + name) << text;
        return path() + name;
    }

  private:
    char path_[32] = "/tmp/profile-test-XXXXXX";
    std::vector<std::string> names_;
};

constexpr const char* small_profile = R"(
name = "small"
seccomp = ["small.json"]
capabilities = ["chown", "CAP_KILL"]
[rlimits]
core = 0
nofile = [64, 128]
as = "unlimited"
)";
constexpr const char* small_filter = R"({"defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2}]})";

std::string refusal(const std::string& text) {
    try {
        read_profile_file(parse_config(text, "p.toml"));
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("the profile that ships is compiled in, and equals a compilation now", "[profile]") {
    const Profile profile = load_profile("build");
    std::vector<FilterProgram> programs;
    for (const std::string& name : profile.file.filters) {
        const auto files = embedded_files();
        const auto it = std::ranges::find(files, name, &EmbeddedFile::name);
        REQUIRE(it != files.end());
        programs.push_back(compile_filter(os::Json::parse(it->text), profile.file.capabilities));
    }
    const FilterProgram fresh = chain_filters(programs);
    CHECK(profile.filter.instructions == fresh.instructions);
    REQUIRE(embedded_filters().size() == profile_names().size());
    CHECK(std::ranges::equal(embedded_filters().front().instructions, fresh.instructions));
    CHECK(profile_names() == std::vector<std::string_view>{"build"});
}

TEST_CASE("a profile of one's own is read from its file", "[profile]") {
    Folder folder;
    folder.write("small.json", small_filter);
    const Profile profile = load_profile(folder.write("small.toml", small_profile));
    CHECK(profile.file.name == "small");
    CHECK(profile.file.hostname == "stagebox");
    CHECK(describe_capabilities(profile.file.capabilities) == "chown, kill");
    REQUIRE(profile.file.rlimits.size() == 3);
    CHECK(profile.file.rlimits[1].resource == RLIMIT_NOFILE);
    CHECK(profile.file.rlimits[1].soft == 64);
    CHECK(profile.file.rlimits[1].hard == 128);
    CHECK(profile.file.rlimits[2].hard == RLIM_INFINITY);
    CHECK_FALSE(profile.filter.instructions.empty());
}

TEST_CASE("what decides about a profile is in its material", "[profile]") {
    Folder folder;
    folder.write("small.json", small_filter);
    const std::string path = folder.write("small.toml", small_profile);
    const std::string first = load_profile(path).material;
    CHECK(first == load_profile(path).material);
    folder.write("small.json", std::string(small_filter) + "\n");
    const std::string second = load_profile(path).material;
    CHECK(first != second);
    folder.write("small.toml", std::string(small_profile) + "cpu = 1\n");
    CHECK(second != load_profile(path).material);
}

TEST_CASE("a profile may name the filters that ship, with other capabilities", "[profile]") {
    Folder folder;
    const Profile profile = load_profile(folder.write("p.toml", R"(
        name = "mine"
        seccomp = ["seccomp/guard.json", "seccomp/build.json"]
        capabilities = []
    )"));
    CHECK(profile.file.capabilities == 0);
    CHECK(profile.filter.instructions == build_filter().instructions);
}

TEST_CASE("a profile that cannot be found or used says why", "[profile]") {
    Folder folder;
    CHECK_THROWS_WITH(load_profile("biuld"), Catch::Contains("did you mean \"build\""));
    CHECK_THROWS_WITH(load_profile("xyzzy"),
                      Catch::Contains("there is \"build\"") || Catch::Contains("there is build"));
    CHECK_THROWS_AS(load_profile(folder.path() + "none.toml"), ConfigError);
    const std::string path = folder.write("small.toml", small_profile);
    CHECK_THROWS_WITH(load_profile(path), Catch::Contains("there is no seccomp file \"small.json\""));
    folder.write("small.json", "{");
    CHECK_THROWS_WITH(load_profile(path), Catch::Contains("small.json: ") && Catch::Contains("parse error"));
    folder.write("small.json", "{}");
    CHECK_THROWS_WITH(load_profile(path), Catch::Contains("small.json: \"defaultAction\" is missing"));
}

TEST_CASE("a profile file is read strictly", "[profile]") {
    const std::string good = "name = \"p\"\nseccomp = [\"a.json\"]\ncapabilities = []\n";
    CHECK(refusal(good) == "no error");
    const auto [text, message] = GENERATE_COPY(table<std::string, std::string>({
        {"name = \"p\"\ncapabilities = []\n", "seccomp"},
        {good + "hostnane = \"x\"\n", "p.toml:4:1: error: "},
        {good + "read-only = [\"proc\"]\n", "absolute path"},
        {good + "masked = [\"/proc/../etc\"]\n", "absolute path"},
        {good + "[rlimits]\nnofiles = 3\n", "did you mean \"nofile\""},
        {good + "[rlimits]\nnofile = -1\n", "a limit is 0 or more"},
        {good + "[rlimits]\nnofile = [2, 1]\n", "above the hard one"},
        {good + "[rlimits]\nnofile = [1, 2, 3]\n", "one number"},
        {good + "[rlimits]\nnofile = \"many\"\n", "unlimited"},
        {"name = \"p\"\nseccomp = []\ncapabilities = []\n", "no seccomp file"},
        {"name = \"p\"\nseccomp = [\"../a.json\"]\ncapabilities = []\n", "below the profile's folder"},
        {"name = \"p\"\nseccomp = [\"/a.json\"]\ncapabilities = []\n", "below the profile's folder"},
        {"name = \"p\"\nseccomp = [\"a.json\"]\ncapabilities = [\"fly\"]\n", "there is no capability \"fly\""},
    }));
    INFO(text);
    CHECK_THAT(refusal(text), Catch::Contains(message));
}

TEST_CASE("a profile's limits stay within the caller's own", "[profile]") {
    rlimit own{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &own) == 0);
    Profile profile;
    profile.file.hostname = "there";
    profile.file.capabilities = 3;
    profile.file.rlimits = {{RLIMIT_NOFILE, RLIM_INFINITY, RLIM_INFINITY}, {RLIMIT_CORE, 0, 0}};
    profile.file.masked_paths = {"/proc/kcore"};
    Spec spec;
    apply_profile(profile, spec);
    CHECK(spec.allow.rlimits[0].soft == own.rlim_max);
    CHECK(spec.allow.rlimits[0].hard == own.rlim_max);
    CHECK(spec.allow.rlimits[1].hard == 0);
    CHECK(spec.allow.capabilities == 3);
    CHECK(spec.hostname == "there");
    CHECK(spec.masked_paths == std::vector<std::string>{"/proc/kcore"});
}

TEST_CASE("the build profile keeps no capability that reaches beyond files and users", "[profile]") {
    CHECK(describe_capabilities(load_profile("build").file.capabilities) ==
          "chown, dac_override, fowner, fsetid, kill, setgid, setuid, sys_chroot, setfcap");
}

#if defined(__x86_64__)
namespace {

// Numbers of the 64-bit and of the 32-bit table; -1: not there.
struct Forbidden {
    const char* name;
    int native;
    int i386;
};
constexpr Forbidden forbidden[] = {
    {"mount", 165, 21},
    {"umount2", 166, 52},
    {"umount", -1, 22},
    {"pivot_root", 155, 217},
    {"open_tree", 428, 428},
    {"move_mount", 429, 429},
    {"fsopen", 430, 430},
    {"fsconfig", 431, 431},
    {"fsmount", 432, 432},
    {"fspick", 433, 433},
    {"mount_setattr", 442, 442},
    {"setns", 308, 346},
    {"unshare", 272, 310},
    {"add_key", 248, 286},
    {"request_key", 249, 287},
    {"keyctl", 250, 288},
    {"bpf", 321, 357},
    {"userfaultfd", 323, 374},
    {"perf_event_open", 298, 336},
    {"fanotify_init", 300, 338},
    {"fanotify_mark", 301, 339},
    {"lookup_dcookie", 212, 253},
    {"vmsplice", 278, 316},
    {"io_uring_setup", 425, 425},
    {"io_uring_enter", 426, 426},
    {"io_uring_register", 427, 427},
    {"ptrace", 101, 26},
    {"process_vm_readv", 310, 347},
    {"process_vm_writev", 311, 348},
    {"kcmp", 312, 349},
    {"pidfd_getfd", 438, 438},
    {"process_madvise", 440, 440},
    {"open_by_handle_at", 304, 342},
    {"kexec_load", 246, 283},
    {"kexec_file_load", 320, -1},
    {"init_module", 175, 128},
    {"finit_module", 313, 350},
    {"delete_module", 176, 129},
    {"create_module", 174, 127},
    {"query_module", 178, 167},
    {"get_kernel_syms", 177, 130},
    {"reboot", 169, 88},
    {"swapon", 167, 87},
    {"swapoff", 168, 115},
    {"syslog", 103, 103},
    {"acct", 163, 51},
    {"quotactl", 179, 131},
    {"quotactl_fd", 443, 443},
    {"settimeofday", 164, 79},
    {"clock_settime", 227, 264},
    {"clock_settime64", -1, 404},
    {"stime", -1, 25},
    {"sethostname", 170, 74},
    {"setdomainname", 171, 121},
    {"iopl", 172, 110},
    {"ioperm", 173, 101},
    {"modify_ldt", 154, 123},
    {"vhangup", 153, 111},
    {"uselib", 134, 86},
    {"ustat", 136, 62},
    {"sysfs", 139, 135},
    {"_sysctl", 156, 149},
    {"nfsservctl", 180, 169},
    {"migrate_pages", 256, 294},
    {"move_pages", 279, 317},
    {"bdflush", -1, 134},
    {"vm86", -1, 166},
    {"vm86old", -1, 113},
    {"socketcall", -1, 102},
};

// What the tables have and nobody answers: never built, gone, or not needed by a build. clone3 is the one
// that matters. 64-bit: getpmsg, putpmsg, afs_syscall, tuxcall, security, vserver, set_mempolicy,
// get_mempolicy, mbind, clone3, ...
const std::set<int> absent_native = {181, 182, 183, 184, 185, 236, 237, 238, 239, 435, 447, 450};
const std::set<int> absent_i386 = {17,  18,  28,  31,  32,  35,  44,  53,  56,  58,  59,  68,  69,  84,  89,  98,
                                   109, 112, 137, 188, 189, 222, 223, 251, 273, 274, 275, 276, 285, 435, 447, 450};
// Answers that depend on arguments are tested below.
const std::set<int> by_argument_native = {16, 41, 53, 56, 135};
const std::set<int> by_argument_i386 = {54, 120, 136, 359, 360};
constexpr int last_known = 450;

std::uint32_t documented(int number, bool is_forbidden, const std::set<int>& absent, const std::set<int>& holes) {
    if (is_forbidden) return fails_with(EPERM);
    const bool unknown = number > last_known || absent.contains(number) || holes.contains(number);
    return unknown ? fails_with(ENOSYS) : allowed;
}

std::uint32_t native_answer(std::uint32_t number, std::initializer_list<std::uint64_t> args = {}) {
    return run_filter(build_filter(), AUDIT_ARCH_X86_64, number, args);
}
std::uint32_t i386_answer(std::uint32_t number, std::initializer_list<std::uint64_t> args = {}) {
    return run_filter(build_filter(), AUDIT_ARCH_I386, number, args);
}

}  // namespace

TEST_CASE("build profile: every number from 0 to 1023 answers as documented, native", "[profile]") {
    std::set<int> denied;
    for (const Forbidden& call : forbidden) denied.insert(call.native);
    std::set<int> holes;  // the table jumps from 334 to 424
    for (int number = 335; number < 424; ++number) holes.insert(number);
    for (int number = 0; number < 1024; ++number) {
        if (by_argument_native.contains(number)) continue;
        INFO(number);
        CHECK(native_answer(static_cast<std::uint32_t>(number)) ==
              documented(number, denied.contains(number), absent_native, holes));
    }
}

TEST_CASE("build profile: every number from 0 to 1023 answers as documented, i386", "[profile]") {
    std::set<int> denied;
    for (const Forbidden& call : forbidden) denied.insert(call.i386);
    std::set<int> holes = {387, 388, 389, 390, 391, 392, 415};
    for (int number = 0; number < 1024; ++number) {
        if (by_argument_i386.contains(number)) continue;
        INFO(number);
        CHECK(i386_answer(static_cast<std::uint32_t>(number)) ==
              documented(number, denied.contains(number), absent_i386, holes));
    }
}

TEST_CASE("build profile: x32 is not there, nor is any other ABI", "[profile]") {
    constexpr std::uint32_t x32 = 0x40000000;
    for (std::uint32_t number = 0; number < 1024; ++number) {
        INFO(number);
        const std::uint32_t answer = native_answer(x32 | number, {0x10000000, 0x5413});
        // The guard comes first and knows x32, so that its own answer is the same everywhere.
        const bool guarded = number == 56;
        CHECK(answer == (guarded ? fails_with(EPERM) : fails_with(ENOSYS)));
        CHECK(run_filter(build_filter(), AUDIT_ARCH_S390X, number) != allowed);
    }
    CHECK(native_answer(0x80000000) == fails_with(ENOSYS));
    CHECK(native_answer(0xffffffff) == fails_with(ENOSYS));
}

TEST_CASE("build profile: no new namespace by clone", "[profile]") {
    for (const std::uint64_t flag : {0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000}) {
        for (const std::uint64_t with : {0ULL, 17ULL, 0x3d0f00ULL, 1ULL << 40U}) {
            INFO(flag << " " << with);
            CHECK(native_answer(56, {flag | with}) == fails_with(EPERM));
            CHECK(i386_answer(120, {flag | (with & 0xffffffff)}) == fails_with(EPERM));
        }
    }
    // fork, vfork and a thread, as libc makes them; and the one flag in the upper bits that is no namespace.
    for (const std::uint64_t flags : {0x1200011ULL, 0x4111ULL, 0x3d0f00ULL, 0x80000000ULL}) {
        CHECK(native_answer(56, {flags}) == allowed);
        CHECK(i386_answer(120, {flags}) == allowed);
    }
}

TEST_CASE("build profile: terminals are not typed into", "[profile]") {
    for (const std::uint64_t request : {0x5412, 0x541c, 0x5423}) {
        for (const std::uint64_t high : {0ULL, 1ULL << 32U, 1ULL << 63U, 0xffffffffULL << 32U}) {
            INFO(request << " " << high);
            CHECK(native_answer(16, {0, request | high}) == fails_with(EPERM));
        }
        CHECK(i386_answer(54, {0, request}) == fails_with(EPERM));
    }
    // TCGETS, TIOCSCTTY (apt gives dpkg a terminal of its own), TIOCGWINSZ, FICLONE, and a negative one.
    for (const std::uint64_t request : {0x5401ULL, 0x540eULL, 0x5413ULL, 0x40049409ULL, 0xffffffff80045430ULL}) {
        CHECK(native_answer(16, {0, request}) == allowed);
        CHECK(i386_answer(54, {0, request & 0xffffffff}) == allowed);
    }
}

TEST_CASE("build profile: only the families that builds use have sockets", "[profile]") {
    std::map<std::pair<int, int>, bool> fine;  // family and protocol
    for (int protocol = 0; protocol < 300; ++protocol) fine[{AF_UNIX, protocol}] = true;
    for (const int protocol : {0, 1, 6, 17}) fine[{AF_INET, protocol}] = true;
    for (const int protocol : {0, 6, 17, 58}) fine[{AF_INET6, protocol}] = true;
    fine[{AF_NETLINK, 0}] = true;
    for (int family = 0; family < 64; ++family) {
        for (int protocol = 0; protocol < 300; ++protocol) {
            INFO(family << " " << protocol);
            const bool expected = fine.contains({family, protocol});
            const auto args = {static_cast<std::uint64_t>(family), std::uint64_t{2},
                               static_cast<std::uint64_t>(protocol)};
            CHECK((native_answer(41, args) == allowed) == expected);
            CHECK((i386_answer(359, args) == allowed) == expected);
            if (family != AF_INET && family != AF_INET6 && !expected) {
                CHECK(native_answer(41, args) == fails_with(EAFNOSUPPORT));
                CHECK(i386_answer(359, args) == fails_with(EAFNOSUPPORT));
            }
        }
        const auto pair = {static_cast<std::uint64_t>(family)};
        CHECK(native_answer(53, pair) == (family == AF_UNIX ? allowed : fails_with(EAFNOSUPPORT)));
        CHECK(i386_answer(360, pair) == (family == AF_UNIX ? allowed : fails_with(EAFNOSUPPORT)));
    }
    CHECK(native_answer(41, {AF_INET, 1, 132}) == fails_with(EPROTONOSUPPORT));
    CHECK(native_answer(41, {(1ULL << 32U) | AF_UNIX, 1, 0}) == fails_with(EAFNOSUPPORT));
    CHECK(native_answer(41, {AF_NETLINK, 3, (1ULL << 32U)}) == fails_with(EAFNOSUPPORT));
    for (std::uint64_t call = 0; call < 24; ++call) CHECK(i386_answer(102, {call}) == fails_with(EPERM));
}

TEST_CASE("build profile: personality keeps to the usual ones", "[profile]") {
    for (const std::uint64_t persona : {0ULL, 8ULL, 0x20000ULL, 0x20008ULL, 0x40000ULL, 0x40008ULL, 0xffffffffULL}) {
        CHECK(native_answer(135, {persona}) == allowed);
        CHECK(i386_answer(136, {persona}) == allowed);
    }
    // READ_IMPLIES_EXEC, MMAP_PAGE_ZERO.
    for (const std::uint64_t persona : {0x400000ULL, 0x100000ULL, 1ULL}) {
        CHECK(native_answer(135, {persona}) == fails_with(ENOSYS));
    }
}
#endif

// The interpreter above and the kernel agree, and a libc lives under the filter. In a child: a filter stays.
TEST_CASE("build profile: the kernel takes the filter", "[profile]") {
    const std::vector<std::uint64_t> instructions = build_filter().instructions;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const sock_fprog program = {static_cast<unsigned short>(instructions.size()),
                                    reinterpret_cast<sock_filter*>(const_cast<std::uint64_t*>(instructions.data()))};
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(10);
        if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) ::_exit(11);
        if (::syscall(SYS_unshare, 0x10000000) != -1 || errno != EPERM) ::_exit(12);
        if (::syscall(SYS_clone3, nullptr, 0) != -1 || errno != ENOSYS) ::_exit(13);
        if (::socket(AF_ALG, SOCK_SEQPACKET, 0) != -1 || errno != EAFNOSUPPORT) ::_exit(14);
        if (::socket(AF_UNIX, SOCK_STREAM, 0) < 0) ::_exit(15);
        const pid_t grandchild = ::fork();
        if (grandchild == 0) ::execl("/bin/true", "true", nullptr);
        int status = -1;
        if (::waitpid(grandchild, &status, 0) != grandchild || status != 0) ::_exit(16);
        ::_exit(0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
