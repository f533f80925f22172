// Filters that report: values, without a jail.
#include "sandbox/filter/denials.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "sandbox/filter/compile.hpp"
#include "sandbox/filter/eval.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/profile/profile.hpp"
#include "tests/support/catch.hpp"

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
