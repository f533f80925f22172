// The compiler of seccomp files: the format, its errors, and what the compiled program answers.
#include "sandbox/filter/compile.hpp"

#include <linux/audit.h>
#include <sys/syscall.h>

#include <cerrno>
#include <fstream>
#include <random>
#include <string>

#include "sandbox/os/caps.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/sandbox/filter/bpf.hpp"

using sandbox::chain_filters;
using sandbox::compile_filter;
using sandbox::FilterError;
using sandbox::FilterProgram;
using sandbox::os::Json;
using test::allowed;
using test::fails_with;
using test::run_filter;

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t native = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t native = AUDIT_ARCH_AARCH64;
#endif

FilterProgram compile(const char* text, std::uint64_t capabilities = 0) {
    return compile_filter(Json::parse(text), capabilities);
}

// The message of the error that a file gets.
std::string refusal(const std::string& text) {
    try {
        compile_filter(Json::parse(text), 0);
    } catch (const FilterError& error) {
        return error.what();
    }
    return "no error";
}

// A file with one rule, written as its members.
std::string with_rule(const std::string& members) {
    return R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{)" + members + "}]}";
}

// Everything the format has, in the ways in which Docker and podman write it.
constexpr const char* everything = R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "defaultErrno": "ENOSYS",
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}
    ],
    "flags": [],
    "syscalls": [
        {"names": ["read", "write", "no_such_call", "arm_fadvise64_64"], "action": "SCMP_ACT_ALLOW", "args": [],
         "comment": "", "includes": {}, "excludes": {}},
        {"name": "getpid", "action": "SCMP_ACT_LOG", "args": null},
        {"names": ["acct"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "errno": "EPERM",
         "excludes": {"caps": ["CAP_SYS_PACCT"]}},
        {"names": ["acct"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_PACCT", "CAP_CHOWN"]}},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
         "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["dup"], "action": "SCMP_ACT_ALLOW", "comment": "either of two, since it is one argument",
         "args": [{"index": 0, "value": 3, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 10, "op": "SCMP_CMP_GT"}]},
        {"names": ["dup3"], "action": "SCMP_ACT_ALLOW", "comment": "both",
         "args": [{"index": 0, "value": 3, "op": "SCMP_CMP_GE"}, {"index": 1, "value": 18446744073709551615,
                  "op": "SCMP_CMP_NE"}]},
        {"names": ["fchdir"], "action": "SCMP_ACT_TRACE", "errnoRet": 7},
        {"names": ["fsync"], "action": "SCMP_ACT_TRAP"},
        {"names": ["sync"], "action": "SCMP_ACT_KILL"},
        {"names": ["reboot"], "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 2, "value": 2, "op": "SCMP_CMP_LT"}]},
        {"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22,
         "args": [{"index": 2, "value": 3, "op": "SCMP_CMP_EQ"}]},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["uname"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "99.0"}},
        {"names": ["getuid"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32", "arm64"]}},
        {"names": ["getgid"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}},
        {"names": ["getegid"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64", "arm64"]}}
    ]
})";

}  // namespace

TEST_CASE("a filter has every feature of the OCI format", "[filter]") {
    const FilterProgram program = compile(everything);
    const auto answer = [&](long number, std::initializer_list<std::uint64_t> args = {}) {
        return run_filter(program, native, static_cast<std::uint32_t>(number), args);
    };
    CHECK(answer(SYS_read) == allowed);
    CHECK(answer(SYS_write) == allowed);
    CHECK(answer(SYS_getpid) == SECCOMP_RET_LOG);
    CHECK(answer(SYS_acct) == fails_with(EPERM));
    CHECK(answer(SYS_clone, {0x00010900}) == allowed);
    CHECK(answer(SYS_clone, {0x10000000}) == fails_with(ENOSYS));
    CHECK(answer(SYS_dup, {3}) == allowed);
    CHECK(answer(SYS_dup, {11}) == allowed);
    CHECK(answer(SYS_dup, {4}) == fails_with(ENOSYS));
    CHECK(answer(SYS_dup3, {3, 4}) == allowed);
    CHECK(answer(SYS_dup3, {2, 4}) == fails_with(ENOSYS));
    CHECK(answer(SYS_dup3, {3, ~std::uint64_t{0}}) == fails_with(ENOSYS));
    CHECK(answer(SYS_fchdir) == (SECCOMP_RET_TRACE | 7U));
    CHECK(answer(SYS_fsync) == SECCOMP_RET_TRAP);
    CHECK(answer(SYS_sync) == SECCOMP_RET_KILL_THREAD);
    CHECK(answer(SYS_reboot) == SECCOMP_RET_KILL_PROCESS);
    CHECK(answer(SYS_lseek, {0, 0, 1}) == fails_with(EPERM));
    CHECK(answer(SYS_lseek, {0, 0, 3}) == fails_with(EINVAL));
    CHECK(answer(SYS_lseek, {0, 0, 2}) == fails_with(ENOSYS));
    CHECK(answer(SYS_ptrace) == allowed);
    CHECK(answer(SYS_uname) == fails_with(ENOSYS));
    CHECK(answer(SYS_getuid) == allowed);
    CHECK(answer(SYS_getgid) == fails_with(ENOSYS));
    CHECK(answer(SYS_getegid) == fails_with(ENOSYS));
    CHECK(answer(100000) == fails_with(ENOSYS));
}

TEST_CASE("a rule that includes capabilities needs all of them", "[filter]") {
    const std::uint64_t pacct = sandbox::capability_bit(*sandbox::capability_number("sys_pacct"));
    const std::uint64_t chown = sandbox::capability_bit(*sandbox::capability_number("chown"));
    const auto answer = [](std::uint64_t mask) { return run_filter(compile(everything, mask), native, SYS_acct); };
    CHECK(answer(pacct) == fails_with(ENOSYS));
    CHECK(answer(chown) == fails_with(EPERM));
    CHECK(answer(pacct | chown) == allowed);
}

TEST_CASE("an architecture that a file does not list gets the default action", "[filter]") {
    const FilterProgram strict = compile(R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]})");
    CHECK(run_filter(strict, native, SYS_read) == allowed);
    CHECK(run_filter(strict, AUDIT_ARCH_S390X, SYS_read) == fails_with(ENOSYS));
    // A list of denials that a program could leave by changing its ABI would be none.
    const FilterProgram open = compile(R"({"defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO"}]})");
    CHECK(run_filter(open, native, SYS_write) == allowed);
    CHECK(run_filter(open, AUDIT_ARCH_S390X, SYS_write) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("the first rule without conditions decides", "[filter]") {
    const FilterProgram program = compile(R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
        {"names": ["setns"], "action": "SCMP_ACT_ERRNO"},
        {"names": ["setns", "unshare"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["unshare"], "action": "SCMP_ACT_ERRNO"}]})");
    CHECK(run_filter(program, native, SYS_setns) == fails_with(EPERM));
    CHECK(run_filter(program, native, SYS_unshare) == allowed);
}

TEST_CASE("what would be ignored in a seccomp file is an error that says where", "[filter]") {
    const auto [text, message] = GENERATE(table<std::string, std::string>({
        {R"([])", "this has to be an object, not array"},
        {R"({"syscalls": []})", R"("defaultAction" is missing)"},
        {R"({"defaultAction": "ALLOW"})", R"(unknown action "ALLOW")"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})", "only goes with SCMP_ACT_ERRNO"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "sysCalls": []})", R"(unknown key "sysCalls")"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_VAX"]})", R"("SCMP_ARCH_VAX")"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["x86"]})", R"(unknown architecture "x86")"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": []})", "both given"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"arch": "SCMP_ARCH_X86"}]})",
         R"(archMap[0]: unknown key)"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]})", "cannot be kept"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_DENY")"),
         R"(syscalls[0]: unknown action "SCMP_ACT_DENY")"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoret": 1)"), R"(did you mean "errnoRet")"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096)"), "from 0 to 4095"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": -1)"), "from 0 to 4095"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "errno": "EWHAT")"),
         R"(unknown error name "EWHAT")"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "errno": "ENOSYS")"),
         "different errors"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_KILL", "errnoRet": 1)"), "only goes with"},
        {with_rule(R"("names": [], "action": "SCMP_ACT_ERRNO")"), "no system call"},
        {with_rule(R"("names": [1], "action": "SCMP_ACT_ERRNO")"), "syscalls[0].names[0]: this has to be a string"},
        {with_rule(R"("name": "read", "names": ["write"], "action": "SCMP_ACT_ERRNO")"), "both given"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "args": {})"), "this has to be an array"},
        {with_rule(
             R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}])"),
         "args[0].index: this has to be a whole number from 0 to 5"},
        {with_rule(
             R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1.5, "op": "SCMP_CMP_EQ"}])"),
         "args[0].value"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "=="}])"),
         R"(unknown operator "==")"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "op": "SCMP_CMP_EQ"}])"),
         "have to be there"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_FLY"]})"),
         R"(unknown capability "CAP_FLY")"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "includes": {"arches": ["adm64"]})"),
         R"(unknown machine "adm64")"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "new"})"),
         "is not a kernel version"},
        {with_rule(R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "excludes": {"cap": []})"),
         R"(unknown key "cap")"},
    }));
    INFO(text);
    CHECK_THAT(refusal(text), Catch::Contains(message));
}

TEST_CASE("what a container engine would be asked about is denied, and its listener is not needed", "[filter]") {
    const FilterProgram program = compile(R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/seccomp.sock",
        "listenerMetadata": "mine", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
        "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]})");
    CHECK(run_filter(program, native, SYS_mount) == fails_with(EPERM));
    CHECK(run_filter(program, native, SYS_read) == allowed);
}

TEST_CASE("a denial that libseccomp would drop is an error", "[filter]") {
    const std::string denial = R"({"names": ["ioctl"], "action": "SCMP_ACT_ERRNO",
                                   "args": [{"index": 1, "value": 21522, "op": "SCMP_CMP_EQ"}]})";
    const std::string permission = R"({"names": ["ioctl"], "action": "SCMP_ACT_ALLOW"})";
    const std::string head = R"({"defaultAction": "SCMP_ACT_KILL", "syscalls": [)";
    CHECK_THAT(refusal(head + denial + "," + permission + "]}"), Catch::Contains("would never be asked"));
    CHECK_THAT(refusal(head + permission + "," + denial + "]}"), Catch::Contains("would never be asked"));
    CHECK(refusal(head + denial + "]}") == "no error");
}

TEST_CASE("in a chain the first filter that does not allow answers", "[filter]") {
    const FilterProgram guard = compile(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2,
         "args": [{"index": 0, "value": 7, "op": "SCMP_CMP_EQ"}]}]})");
    const FilterProgram list = compile(R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"}, {"names": ["write"], "action": "SCMP_ACT_LOG"}]})");
    const FilterProgram chain = chain_filters(std::vector{guard, list});
    CHECK(run_filter(chain, native, SYS_read, {7}) == fails_with(ENOENT));
    CHECK(run_filter(chain, native, SYS_read, {8}) == allowed);
    CHECK(run_filter(chain, native, SYS_write) == SECCOMP_RET_LOG);
    CHECK(run_filter(chain, native, SYS_close) == fails_with(ENOSYS));
    CHECK(chain_filters({}).instructions.empty());
    CHECK_THROWS_AS(chain_filters(std::vector{list, guard}), FilterError);
}

// Every operator against its meaning, over values on both sides of each border and with bits in the upper
// half.
TEST_CASE("compiled conditions mean what they say, in all 64 bits", "[filter]") {
    struct Operator {
        const char* name;
        bool (*holds)(std::uint64_t, std::uint64_t, std::uint64_t);
    };
    const Operator op =
        GENERATE(Operator{"SCMP_CMP_NE", [](auto a, auto v, auto) { return a != v; }},
                 Operator{"SCMP_CMP_LT", [](auto a, auto v, auto) { return a < v; }},
                 Operator{"SCMP_CMP_LE", [](auto a, auto v, auto) { return a <= v; }},
                 Operator{"SCMP_CMP_EQ", [](auto a, auto v, auto) { return a == v; }},
                 Operator{"SCMP_CMP_GE", [](auto a, auto v, auto) { return a >= v; }},
                 Operator{"SCMP_CMP_GT", [](auto a, auto v, auto) { return a > v; }},
                 Operator{"SCMP_CMP_MASKED_EQ", [](auto a, auto v, auto two) { return (a & v) == two; }});
    std::mt19937_64 random(2024);
    for (int round = 0; round < 40; ++round) {
        const std::uint64_t value = random() >> (random() % 60);
        const std::uint64_t two = random() & value;
        Json file = Json::parse(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []})");
        file["syscalls"].push_back(
            {{"names", {"read"}},
             {"action", "SCMP_ACT_ALLOW"},
             {"args", Json::array({{{"index", 1}, {"value", value}, {"valueTwo", two}, {"op", op.name}}})}});
        const FilterProgram program = compile_filter(file, 0);
        constexpr std::uint64_t upper = std::uint64_t{1} << 32U;
        const std::uint64_t args[] = {
            value,         value - 1,        value + 1,         two,     two | ~value, value ^ upper,
            value + upper, std::uint64_t{0}, ~std::uint64_t{0}, random()};
        for (const std::uint64_t arg : args) {
            INFO(op.name << " " << value << " " << two << " of " << arg);
            CHECK((run_filter(program, native, SYS_read, {0, arg}) == allowed) == op.holds(arg, value, two));
        }
    }
}

TEST_CASE("podman's own file loads unchanged", "[filter]") {
    std::ifstream file("/usr/share/containers/seccomp.json");
    if (!file) {
        WARN(
            "/usr/share/containers/seccomp.json (golang-github-containers-common) is not installed: not "
            "tried");
        return;
    }
    const FilterProgram program = compile_filter(Json::parse(file), 0);
    CHECK(run_filter(program, native, SYS_read) == allowed);
    CHECK(run_filter(program, native, SYS_bpf) == fails_with(EPERM));
    CHECK(run_filter(program, native, SYS_socket, {16, 3, 9}) == fails_with(EINVAL));
    CHECK(run_filter(program, native, SYS_socket, {16, 3, 0}) == allowed);
    CHECK(run_filter(program, native, 100000) == fails_with(ENOSYS));
}
