// Services of a stage: real ones, the fence around them, and what a stage fails of when they do.
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using namespace std::chrono_literals;
using sandbox::os::format;

namespace {

std::string log_of(const Workspace& workspace, const std::string& service) {
    const std::string run = workspace.names_in("runs").back();
    return content_of(format("{}/v2/runs/{}/a.{}.log", workspace.store(), run, service));
}

std::string file_of(const Workspace& workspace, const std::string& artifact) {
    return content_of(workspace.artifact_of("a", artifact));
}

// Where Debian puts the server's own programs; empty where there are none.
std::string postgres_programs() {
    const std::filesystem::path all = "/usr/lib/postgresql";
    if (!std::filesystem::exists(all)) return {};
    for (const auto& version : std::filesystem::directory_iterator(all)) {
        if (std::filesystem::exists(version.path() / "bin/initdb")) return version.path() / "bin";
    }
    return {};
}

}  // namespace

// Alone: on a busy machine the server takes connections before it takes commands.
TEST_CASE("a PostgreSQL and a D-Bus daemon run beside a stage's command", "[services][alone]") {
    const std::string programs = postgres_programs();
    if (programs.empty() || ::access("/usr/bin/dbus-daemon", X_OK) != 0 || ::access("/usr/bin/dbus-send", X_OK) != 0) {
        unavailable("PostgreSQL's server, dbus-daemon and dbus-send");
        return;
    }
    const Workspace workspace;
    workspace.pipeline(format(R"toml(
[vars]
pg = "{}"
[stage.a]
from = "host"
run = ["sh", "-c", """
set -e
${{pg}}/psql -h 127.0.0.1 -U postgres -At -c 'create table t as select generate_series(1, 100) as n' -c 'select sum(n) from t' postgres \
    > /out/sum
dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames > /out/names
"""]
env = {{ DBUS_SESSION_BUS_ADDRESS = "unix:path=/run/bus" }}
out = {{ sum = "sum", names = "names" }}
services = [
    {{ name = "bus", ready = {{ unix = "/run/bus" }}, run = ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--address=unix:path=/run/bus"] }},
    {{ name = "db", ready = {{ tcp = 5432 }}, timeout = "90s", run = ["sh", "-c", """
install -d -o nobody -g nogroup /tmp/db
exec setpriv --reuid=nobody --regid=nogroup --clear-groups sh -c '
    ${{pg}}/initdb -D /tmp/db -A trust -U postgres --no-sync && exec ${{pg}}/postgres -D /tmp/db -k /tmp -c fsync=off'
"""] }},
]
)toml",
                              programs));
    const Result built = workspace.build();
    INFO(built.err << log_of(workspace, "db") << log_of(workspace, "bus"));
    REQUIRE(built.code == 0);
    CHECK(file_of(workspace, "sum").ends_with("5050\n"));
    CHECK(file_of(workspace, "names").find("string \"org.freedesktop.DBus\"") != std::string::npos);
    // Their output is in their logs alone, and the server was told to end: it did not lose its power.
    CHECK(log_of(workspace, "db").find("database system is ready to accept connections") != std::string::npos);
    CHECK(log_of(workspace, "db").find("database system is shut down") != std::string::npos);
    CHECK_FALSE(says(built, "database system"));
    CHECK(has_clean_receipt(built));
    CHECK(processes_with("dbus-daemon --session --nofork --nopidfile --address=unix:path=/run/bus").empty());
    CHECK(is_at_rest(workspace));
}

TEST_CASE("services start in their order, are ready before the command, and end after it", "[services]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "echo command $WORD >> /out/log; readlink /proc/self/fd/0 >> /out/log"]
env = { WORD = "shown" }
out = { log = "log" }
services = [
    { name = "one", ready = { log = "one is ready" }, run = ["sh", "-c", """
        trap 'echo one ends >> /out/log; exit 0' TERM
        echo one $WORD >> /out/log; sleep 0.2; printf 'one is '; sleep 0.1; echo ready
        while :; do sleep 0.05; done"""] },
    { name = "two", ready = { command = ["test", "-e", "/tmp/two"] }, run = ["sh", "-c", """
        trap 'echo two ends >> /out/log; exit 1' TERM
        echo two >> /out/log; sleep 0.2; touch /tmp/two
        while :; do sleep 0.05; done"""] },
]
)toml");
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    const std::string log = file_of(workspace, "log");
    INFO(log);
    CHECK(log.starts_with("one shown\ntwo\ncommand shown\n/dev/null\n"));
    CHECK(log.find("one ends") != std::string::npos);
    CHECK(log.find("two ends") != std::string::npos);
    CHECK(log_of(workspace, "one") == "one is ready\n");
}

TEST_CASE("a service has the command's fence, neither more nor less", "[services]") {
    const Workspace workspace;
    const std::string ids = GENERATE("range", "single");
    INFO(ids);
    constexpr const char* facts =
        "grep -E '^(Uid|Gid|Groups|NoNewPrivs|Seccomp|Cap)' /proc/self/status; cat /proc/self/cgroup; "
        "for n in user mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done; ls /proc/self/fd | wc -l; "
        "ulimit -a; env | sort; "
        "unshare -U true 2>&1; mount -t tmpfs none /tmp 2>&1; cat /proc/1/environ 2>&1; true";
    workspace.write("facts", facts);
    workspace.pipeline(format(R"toml(
[stage.a]
from = "host"
ids = "{}"
in = {{ "/in/facts" = "./facts" }}
run = ["sh", "-c", "sh /in/facts > /out/command"]
out = {{ command = "command", service = "service" }}
services = [
    {{ name = "s", ready = {{ log = "done" }}, run = ["sh", "-c", "sh /in/facts > /out/service; echo done; exec sleep 1000"] }},
]
)toml",
                              ids));
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    const std::string of_command = file_of(workspace, "command");
    CHECK(of_command.find("NoNewPrivs:\t1") != std::string::npos);
    CHECK(of_command.find("Seccomp:\t2") != std::string::npos);
    CHECK(file_of(workspace, "service") == of_command);
}

TEST_CASE("a stage fails of its service, and says so", "[services]") {
    struct Case {
        std::string service;
        std::string command;
        std::string says;
    };
    const auto one = GENERATE(values<Case>(
        {{"run = [\"sh\", \"-c\", \"echo out of ideas; exit 5\"], ready = { tcp = 1 }", "true",
          "its service s ended with exit code 5 before the command did"},
         {"run = [\"sh\", \"-c\", \"echo out of ideas; sleep 0.3; kill -KILL $$\"]", "sleep 1000",
          "its service s was ended by signal 9 (Killed) before the command did"},
         {"run = [\"sh\", \"-c\", \"echo out of ideas; exec sleep 1000\"], ready = { tcp = 1 }, timeout = \"1s\"",
          "true", "its service s was not ready after 1 s: nobody took a connection to port 1"},
         {"run = [\"sh\", \"-c\", \"echo out of ideas; exec sleep 1000\"], ready = { unix = \"/run/x\" }, timeout = "
          "\"1s\"",
          "true", "its service s was not ready after 1 s: nobody took a connection to /run/x"},
         {"run = [\"sh\", \"-c\", \"echo out of ideas; exec sleep 1000\"], ready = { command = [\"sh\", \"-c\", \"exit "
          "4\"] }, timeout = "
          "\"1s\"",
          "true", "its service s was not ready after 1 s: sh did not end with 0; it ended with exit code 4 last"}}));
    const Workspace workspace;
    const std::string marker = unique_marker();
    workspace.pipeline(format(
        "[stage.a]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"{}; : {}\"]\nservices = [{{ name = \"s\", {} }}]\n",
        one.command, marker, one.service));
    const Result failed = workspace.build();
    INFO(failed.err);
    CHECK(failed.code == 1);
    CHECK(says(failed, "failed: stage a: " + one.says));
    CHECK(says(failed, "class: service (log "));
    CHECK(says(failed, "the last 1 lines of its output:\n    out of ideas\n"));
    CHECK(has_clean_receipt(failed));
    CHECK(processes_with(marker).empty());
    CHECK(is_at_rest(workspace));
}

TEST_CASE("what cannot be executed beside a service is told as everywhere", "[services]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
run = ["no-such-program"]
services = [{ name = "s", run = ["sleep", "1000"] }]
[stage.b]
from = "empty"
run = ["true"]
services = [{ name = "s", run = ["no-such-service"] }]
[stage.c]
from = "host"
run = ["sh", "-c", "exit 9"]
services = [{ name = "s", run = ["sleep", "1000"] }]
)toml");
    const Result failed = workspace.build();
    INFO(failed.err);
    CHECK(failed.code == 1);
    CHECK(says(failed, "stage a: execute no-such-program: No such file or directory"));
    CHECK(says(failed, "class: command-not-found"));
    CHECK(says(failed,
               "stage b: its service s could not be started: execute no-such-service: No such file or directory"));
    CHECK(says(failed, "stage c: its command ended with exit code 9"));
}

TEST_CASE("a stage with services is interrupted, and limited, as others", "[services]") {
    const Workspace workspace;
    const std::string marker = unique_marker();
    workspace.pipeline(format(R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "trap 'echo in order; exit 0' TERM; echo waiting; while :; do sleep 0.1; done; : {0}"]
services = [{{ name = "s", run = ["sh", "-c", "sleep 1000; : {0}"] }}]
[stage.slow]
from = "host"
limits = {{ time = "1s" }}
run = ["sleep", "1000"]
services = [{{ name = "s", run = ["sh", "-c", "sleep 1000; : {0}"] }}]
)toml",
                              marker));
    Process build(workspace.command({"build", "-j", "2"}));
    build.wait_for("a | waiting");
    build.wait_for("not done after its time limit of 1 s");
    build.signal(SIGINT);
    const Result ended = build.finish(15s);
    INFO(ended.err);
    CHECK(ended.code == 130);
    CHECK(says(ended, "in order"));
    CHECK(states(ended) == "a=stopped slow=failed");
    CHECK(processes_with(marker).empty());
    CHECK(has_clean_receipt(ended));
    CHECK(is_at_rest(workspace));
}

TEST_CASE("services are a part of a stage's key, the time that they get is not", "[services]") {
    const Workspace workspace;
    const auto build_with = [&](const std::string& service) {
        workspace.pipeline(
            format("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\nservices = [{{ name = \"s\", {} }}]\n", service));
        return state_of(workspace.build(), "a");
    };
    CHECK(build_with("run = [\"sleep\", \"1000\"]") == "built");
    CHECK(build_with("run = [\"sleep\", \"1000\"], timeout = \"5s\"") == "cached");
    CHECK(build_with("run = [\"sleep\", \"1001\"]") == "built");
    CHECK(build_with("run = [\"sleep\", \"1001\"], ready = { command = [\"true\"] }") == "built");
}

TEST_CASE("packages start nothing: policy-rc.d says no, and is in no layer", "[services]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(R"toml(
[stage.a]
from = "tools.root"
run = ["sh", "-c", "/usr/sbin/policy-rc.d ssh start; echo $? > /out/code; echo changed > /changed"]
out = { code = "code" }
)toml"));
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(file_of(workspace, "code") == "101\n");
    CHECK(std::filesystem::exists(workspace.layer_of("a") + "/changed"));
    CHECK_FALSE(std::filesystem::exists(workspace.layer_of("a") + "/usr"));
}
