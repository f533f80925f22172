#include "runtime/host/unmount/session_processes.hpp"

#include "tests/support/catch.hpp"

using namespace runtime::host;

TEST_CASE("a session's processes are the caller's ancestors, their sessions and their user's slice",
          "[session][unmount]") {
    const std::vector<Process> processes{
        {.pid = 1, .comm = "init", .session = 1},
        {.pid = 50, .parent = 1, .comm = "sshd", .session = 50},
        {.pid = 60, .parent = 50, .comm = "sh", .session = 60, .cgroup = "/user.slice/user-1000.slice/session-1.scope"},
        {.pid = 61, .parent = 60, .comm = "job", .session = 60},
        {.pid = 70, .parent = 1, .comm = "other", .session = 70, .cgroup = "/user.slice/user-1001.slice/x"},
        {.pid = 71, .parent = 1, .comm = "mine", .session = 71, .cgroup = "/user.slice/user-1000.slice/y"},
        {.pid = 72, .parent = 1, .comm = "near", .session = 72, .cgroup = "/user.slice/user-1000.slice2/y"}};
    const SessionProcesses session(processes, 60, "/srv/a");
    const auto contains = [&](pid_t pid, const std::string& root = "/") {
        return session.contains({pid, "", "cwd", "/srv/a", 1, "", root});
    };
    CHECK(contains(60));
    CHECK(contains(50));
    CHECK(contains(61));
    CHECK(contains(71));
    CHECK_FALSE(contains(70));
    CHECK_FALSE(contains(72));
    CHECK_FALSE(contains(999));
    INFO("what a chroot has left is nobody's, if no terminal is its own");
    CHECK_FALSE(contains(71, "/srv/a"));
    CHECK(contains(60, "/srv/a"));
}

TEST_CASE("a table of processes that goes round in a circle has an end", "[session][unmount]") {
    const std::vector<Process> processes{{.pid = 5, .parent = 6}, {.pid = 6, .parent = 5}};
    const SessionProcesses session(processes, 5, "/srv");
    CHECK(session.contains({6, "", "cwd", "/srv", 1}));
}
