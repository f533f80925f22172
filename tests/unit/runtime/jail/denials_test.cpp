// Filters that report, calls in words, and the log of denials: values, without a jail.
#include <linux/audit.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "runtime/jail/denial_lesson.hpp"
#include "runtime/jail/denial_log.hpp"
#include "runtime/jail/denial_words.hpp"
#include "sandbox/filter/compile.hpp"
#include "sandbox/filter/denials.hpp"
#include "sandbox/filter/eval.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/profile/profile.hpp"
#include "tests/support/catch.hpp"

using namespace runtime::jail;
using sandbox::evaluate;
using sandbox::FilterProgram;
using sandbox::native_call;
using sandbox::os::Json;

namespace {

FilterProgram filter_from(const char* json) {
    return sandbox::compile_filter(Json::parse(json), 0);
}

constexpr const char* small_filter = R"json({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
    "syscalls": [
        {"names": ["execve", "write", "exit_group"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
        {"names": ["bpf"], "action": "SCMP_ACT_KILL_PROCESS"}
    ]})json";

std::string no_text(std::uint64_t) {
    return "/some/path";
}

seccomp_data call_with(int number, std::initializer_list<std::uint64_t> arguments) {
    seccomp_data call = native_call(number);
    std::size_t i = 0;
    for (const std::uint64_t argument : arguments) call.args[i++] = argument;
    return call;
}

}  // namespace

TEST_CASE("a reporting filter asks where the original denies, and answers as it does everywhere else", "[denials]") {
    const FilterProgram original = filter_from(small_filter);
    const FilterProgram reporting = sandbox::report_denials(original);
    CHECK_FALSE(sandbox::asks_supervisor(original));
    CHECK(sandbox::asks_supervisor(reporting));
    CHECK(reporting.instructions.size() == original.instructions.size());
    for (int number = 0; number < 1100; ++number) {
        const auto before = evaluate(original, native_call(number));
        const auto after = evaluate(reporting, native_call(number));
        INFO(number);
        if (number == SYS_mount) {
            CHECK(before.error() == EPERM);
            CHECK(after.action() == SECCOMP_RET_USER_NOTIF);
        } else {
            CHECK(before == after);
        }
    }
}

TEST_CASE("what ships can report: no answer of a shipped profile is lost", "[denials]") {
    const FilterProgram original = sandbox::load_profile("build").filter;
    const FilterProgram reporting = sandbox::report_denials(original);
    int asked = 0;
    for (const std::uint32_t arch :
         std::initializer_list<std::uint32_t>{AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64}) {
        for (int number = 0; number < 600; ++number) {
            seccomp_data call = native_call(number);
            call.arch = arch;
            const auto before = evaluate(original, call);
            const auto after = evaluate(reporting, call);
            if (before == after) continue;
            ++asked;
            CHECK(before.error().value_or(ENOSYS) != ENOSYS);
            CHECK(after.action() == SECCOMP_RET_USER_NOTIF);
        }
    }
    CHECK(asked > 50);
}

TEST_CASE("a plan of a filter that would ask about the payload's own exec is refused", "[denials]") {
    sandbox::BuildSpec spec;
    spec.mounts = {sandbox::Tmpfs{"/"}};
    sandbox::Command command;
    command.argv = {"/bin/true"};
    spec.allow.filter = filter_from(small_filter);
    CHECK_FALSE(sandbox::make_plan(spec, command).has_listener);
    spec.denials = sandbox::Denials::reported;
    const sandbox::BuildPlan plan = sandbox::make_plan(spec, command);
    CHECK(plan.has_listener);
    CHECK(plan.unreported_filter.instructions == spec.allow.filter.instructions);
    CHECK(sandbox::describe(plan).find(", with a listener") != std::string::npos);

    spec.allow.filter = filter_from(R"json({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["execve"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]})json");
    CHECK_THROWS_WITH(sandbox::make_plan(spec, command), Catch::Contains("denies execve"));
}

TEST_CASE("calls are shown with what can be shown of them", "[denials]") {
    CHECK(show_call("mount", call_with(SYS_mount, {1, 1, 1, MS_BIND | MS_REC, 4711}), no_text) ==
          R"(mount("/some/path", "/some/path", "/some/path", MS_BIND|MS_REC, …))");
    CHECK(show_call("mount (x86)", call_with(SYS_mount, {0, 0, 0, 0, 0}), no_text) ==
          "mount (x86)(NULL, NULL, NULL, 0x0, …)");
    CHECK(show_call("socket", call_with(SYS_socket, {AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0}), no_text) ==
          "socket(AF_ALG, SOCK_SEQPACKET, 0)");
    // The kernel looks at 32 bits of a request.
    CHECK(show_call("ioctl", call_with(SYS_ioctl, {0, 0xffffffff00005412, 1}), no_text) == "ioctl(0, TIOCSTI, …)");
    CHECK(show_call("brk", call_with(SYS_brk, {1}), no_text) == "brk(…)");
    const auto unreadable = [](std::uint64_t) { return std::optional<std::string>(); };
    CHECK(show_call("swapon", call_with(SYS_swapon, {1, 0}), unreadable) == "swapon(…, 0x0)");
    const auto rude = [](std::uint64_t) { return std::string("/a\033[2J\nb"); };
    CHECK(show_call("chroot", call_with(SYS_chroot, {1}), rude) == "chroot(\"/a?[2J?b\")");
    const auto endless = [](std::uint64_t) { return std::string(4000, 'x'); };
    CHECK(show_call("chroot", call_with(SYS_chroot, {1}), endless).size() < 300);
    CHECK(telling_argument("ioctl", call_with(SYS_ioctl, {0, 0x5412, 1})) == 0x5412);
    CHECK(telling_argument("mount", call_with(SYS_mount, {7, 7})) == 0);
    CHECK(error_name(EPERM) == "EPERM");
    CHECK(error_name(4000) == "errno 4000");
}

TEST_CASE("system calls have their names in each ABI", "[denials]") {
    CHECK(sandbox::call_name(AUDIT_ARCH_X86_64, 165) == "mount");
    CHECK(sandbox::call_name(AUDIT_ARCH_I386, 21) == "mount (x86)");
    CHECK(sandbox::call_name(AUDIT_ARCH_X86_64, 9999) == "system call 9999");
}

TEST_CASE("denials of one kind are counted, the most frequent come first, and there is an end to kinds", "[denials]") {
    DenialLog log;
    const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'000'000'000));
    const DenialKind rare{"mount", EPERM, 0, "apt"};
    const DenialKind often{"ptrace", EPERM, 0, "gdb"};
    CHECK(log.is_empty());
    REQUIRE(log.count(rare, now));
    log.add(rare, {"mount(NULL)", 12, "/usr/bin/apt", "/", "a line"}, now);
    REQUIRE(log.count(often, now));
    log.add(often, {"ptrace(0x0)", 13, "/usr/bin/gdb", "/", "another"}, now);
    CHECK_FALSE(log.count(often, now + std::chrono::seconds(5)));
    CHECK(log.total() == 3);
    const auto lines = to_lines(log, 1);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] == "denied: ptrace(0x0) by gdb (pid 13), 2 times: EPERM\n    allow it with another");
    CHECK(lines[1] == "denied: 1 more");
    const Json json = to_json(log);
    CHECK(json.at("total") == 3);
    CHECK(json.at("denials").at(0).at("count") == 2);
    CHECK(json.at("denials").at(0).at("first") == "2001-09-09T01:46:40Z");
    CHECK(json.at("denials").at(0).at("last") == "2001-09-09T01:46:45Z");
    CHECK(json.at("denials").at(1).at("executable") == "/usr/bin/apt");

    for (std::uint64_t i = 0; i < 1000; ++i) {
        const DenialKind kind{"ioctl", EPERM, i, "x"};
        if (log.count(kind, now)) log.add(kind, {}, now);
    }
    CHECK(log.denials().size() == DenialLog::most_kinds);
    CHECK(log.total() == 1003);
    CHECK(to_lines(log, 10000).back() == "denied: 746 more");
}

TEST_CASE("names that are no UTF-8 can be written out", "[denials]") {
    DenialLog log;
    const DenialKind kind{"mount", EPERM, 0, "a\xff\x1b"};
    REQUIRE(log.count(kind, {}));
    log.add(kind, {"mount(\"\xc3\")", 2, "/\xfe", "/\xe2\x82", ""}, {});
    CHECK_NOTHROW(to_json(log).dump());
    CHECK(to_json(log).at("denials").at(0).at("process") == "a\xef\xbf\xbd?");
}

TEST_CASE("an observing filter asks about everything but what comes before the exec", "[denials]") {
    const FilterProgram original = filter_from(small_filter);
    const FilterProgram observing = sandbox::observe_calls(original);
    for (const int number : {SYS_execve, SYS_write, SYS_exit_group}) {
        CHECK(evaluate(observing, native_call(number)) == sandbox::answer_allowed);
    }
    CHECK(evaluate(observing, native_call(SYS_mount)).error() == EPERM);
    CHECK(evaluate(observing, native_call(SYS_bpf)).action() == SECCOMP_RET_KILL_PROCESS);
    CHECK(evaluate(observing, native_call(SYS_getpid)).error() == ENOSYS);

    const FilterProgram build = sandbox::load_profile("build").filter;
    const FilterProgram observing_build = sandbox::observe_calls(build);
    CHECK(evaluate(observing_build, native_call(SYS_getpid)).action() == SECCOMP_RET_USER_NOTIF);
    CHECK(evaluate(observing_build, native_call(SYS_mount)) == evaluate(build, native_call(SYS_mount)));
    // A number means another call in another ABI.
    seccomp_data other = native_call(SYS_write);
    other.arch = AUDIT_ARCH_I386;
    CHECK(evaluate(observing_build, other).action() == SECCOMP_RET_USER_NOTIF);

    const FilterProgram all = sandbox::observe_calls({});
    CHECK(evaluate(all, native_call(SYS_getpid)).action() == SECCOMP_RET_USER_NOTIF);
    CHECK(evaluate(all, native_call(SYS_execve)) == sandbox::answer_allowed);
}

TEST_CASE("a lesson becomes a filter that allows what was seen and nothing else", "[denials]") {
    Lesson lesson;
    lesson.saw("getpid", "sh");
    lesson.saw("openat", "sh");
    lesson.saw("getpid (x86)", "late");
    lesson.saw("chdir", "ma\"ke\033");
    lesson.saw("system call 999", "sh");
    lesson.saw("execve", "sh");
    CHECK(lesson.calls().size() == 3);
    CHECK(lesson.calls().at("getpid") == "sh");
    const Json json = Json::parse(filter_text(lesson));
    CHECK(json.at("syscalls").size() == 3);
    CHECK(json.at("syscalls").at(2).at("comment") == "First made by sh.");
    CHECK(json.at("syscalls").at(2).at("names") == Json::array({"getpid", "openat"}));
    const FilterProgram filter = sandbox::compile_filter(json, 0);
    for (const int number : {SYS_getpid, SYS_openat, SYS_chdir, SYS_execve, SYS_rt_sigreturn}) {
        CHECK(evaluate(filter, native_call(number)) == sandbox::answer_allowed);
    }
    for (const int number : {SYS_mount, SYS_mkdir, SYS_getppid}) {
        CHECK(evaluate(filter, native_call(number)).error() == EPERM);
    }
    const std::string text = profile_text({.name = "mi\"ne",
                                           .base = "build",
                                           .base_filters = {"seccomp/build.json"},
                                           .own_filter = "mine.json",
                                           .command = "make 'x\ny'",
                                           .denied = {"denied: mount(NULL) by make: EPERM\n    allow it"}});
    CHECK(text.find("name = \"mi\\\"ne\"\n") != std::string::npos);
    CHECK(text.find("extends = \"build\"\n") != std::string::npos);
    CHECK(text.find("seccomp = [\"seccomp/build.json\", \"mine.json\"]\n") != std::string::npos);
    CHECK(text.find("#     denied: mount(NULL) by make: EPERM\n#         allow it\n") != std::string::npos);
    CHECK(text.find("#     make 'x?y'\n") != std::string::npos);
}
