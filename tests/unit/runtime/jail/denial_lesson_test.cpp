#include "runtime/jail/denial_lesson.hpp"

#include <linux/audit.h>
#include <sys/syscall.h>

#include "sandbox/filter/compile.hpp"
#include "sandbox/filter/denials.hpp"
#include "sandbox/filter/eval.hpp"
#include "sandbox/os/json.hpp"
#include "tests/support/catch.hpp"

using namespace runtime::jail;
using sandbox::evaluate;
using sandbox::native_call;
using sandbox::os::Json;

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
    const sandbox::FilterProgram filter = sandbox::compile_filter(json, 0);
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
