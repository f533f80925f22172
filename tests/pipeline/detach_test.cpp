// Builds that outlive who started them: in the background, after a hangup, over a connection that is cut; and how they
// are found again, followed and interrupted.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <filesystem>

#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/sys.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/sshd.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using namespace std::chrono_literals;
using sandbox::os::format;
using sandbox::os::Json;

namespace {

// A workspace whose builds may have nobody else to end them.
class DetachedWorkspace : public Workspace {
  public:
    ~DetachedWorkspace() {
        for (const pid_t pid : processes_with(path())) ::kill(pid, SIGKILL);
        becomes_true([&] { return processes_with(path()).empty(); }, 5s);
    }

    // The second stage waits until go_on().
    void write_gate(std::string_view defaults = "") const {
        pipeline(format(R"toml({}
[stage.quick]
from = "host"
run = ["sh", "-c", "echo done > /out/x"]
out = {{ x = "x" }}
[stage.gate]
from = "host"
in = {{ "/in/x" = "quick.x" }}
run = ["sh", "-c", "chmod 777 /out; echo waiting; until [ -e /out/go ]; do sleep 0.05; done; echo went on"]
[stage.last]
from = "host"
in = {{ "/in/x" = "quick.x" }}
run = ["sh", "-c", "echo at the end"]
)toml",
                        defaults));
    }
    // From outside the jail, where the stage's /out lies.
    void go_on() const {
        for (const std::string& name : names_in("staging")) {
            const std::string out = format("{}/v2/staging/{}/out", store(), name);
            if (std::filesystem::exists(out)) std::ofstream(out + "/go") << "go\n";
        }
    }
    // `stagebox COMMAND WORDS... --store STORE`.
    [[nodiscard]] Start command_on_runs(std::vector<std::string> words) const {
        words.insert(words.begin(), stagebox_program());
        words.insert(words.end(), {"--store", store()});
        return {.argv = std::move(words)};
    }
    [[nodiscard]] Result ask(std::vector<std::string> words) const {
        return tests::support::run(command_on_runs(std::move(words)));
    }
    [[nodiscard]] Json status(const std::string& name) const {
        const Result answer = ask({"status", name, "--json"});
        INFO(answer.err);
        REQUIRE(answer.code == 0);
        return Json::parse(answer.out);
    }
    [[nodiscard]] std::string the_run() const {
        const std::vector<std::string> runs = names_in("runs");
        REQUIRE(runs.size() == 1);
        return runs.front();
    }
    [[nodiscard]] bool has_run() const {
        return std::filesystem::exists(store() + "/v2/runs") && names_in("runs").size() == 1;
    }
    [[nodiscard]] bool has_shown(const std::string& text) const {
        return content_of(format("{}/v2/runs/{}/console.log", store(), the_run())).find(text) != std::string::npos;
    }
    // Starts it in the background; its name.
    [[nodiscard]] std::string start_detached() const {
        const Result started = build({"--detach", "-j", "1"});
        INFO(started.err);
        REQUIRE(started.code == 0);
        REQUIRE(started.out.ends_with("\n"));
        std::string name = started.out.substr(0, started.out.size() - 1);
        CHECK(name == the_run());
        REQUIRE(becomes_true([&] { return has_shown("gate | waiting"); }, 30s));
        return name;
    }
};

std::string state_in(const Json& status, const std::string& stage) {
    for (const Json& one : status.at("stages")) {
        if (one.at("stage") == stage) return one.at("state").get<std::string>();
    }
    return "(nothing)";
}

// A pseudoterminal; closing its outer side is what a terminal's end is.
struct Pty {
    Pty() {
        outer = sandbox::os::Fd(
            sandbox::os::sys([] { return ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); }, "open a pty"));
        sandbox::os::sys([&] { return ::grantpt(outer.get()); }, "grantpt");
        sandbox::os::sys([&] { return ::unlockpt(outer.get()); }, "unlockpt");
        inner = sandbox::os::Fd(sandbox::os::sys(
            [&] { return ::ioctl(outer.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); }, "open the other side"));
    }
    sandbox::os::Fd outer;
    sandbox::os::Fd inner;
};

// The program on a terminal that is its session's.
Start on(const Pty& pty, Start start) {
    start.terminal = pty.inner.get();
    start.in_child = [] { ::ioctl(0, TIOCSCTTY, 0); };
    return start;
}

}  // namespace

TEST_CASE("a detached build is found by status, followed by log -f, and ends clean", "[detach]") {
    const DetachedWorkspace workspace;
    workspace.write_gate();
    const std::string name = workspace.start_detached();

    Json status = workspace.status(name);
    CHECK(status.at("state") == "running");
    CHECK(status.at("pipeline") == "test");
    CHECK(status.at("run") == name);
    CHECK(state_in(status, "quick") == "built");
    CHECK(state_in(status, "gate") == "running");
    CHECK(state_in(status, "last") == "waiting");
    const auto supervisor = status.at("pid").get<pid_t>();
    CHECK(::getsid(supervisor) == supervisor);
    const Result list = workspace.ask({"status"});
    CHECK(list.out.find(name + "  running") != std::string::npos);
    CHECK(list.out.find("gate   running") != std::string::npos);

    Process follower(workspace.command_on_runs({"log", "-f"}));
    follower.wait_for("gate | waiting");
    workspace.go_on();
    const Result followed = follower.finish();
    CHECK(followed.code == 0);
    // What it says is what a build in the foreground says.
    CHECK(states({.out = {}, .err = followed.out}) == "quick=built gate=built last=built");
    CHECK(followed.out.find("gate | went on") != std::string::npos);
    CHECK(has_clean_receipt({.out = {}, .err = followed.out}));

    status = workspace.status(name.substr(0, name.size() - 1));
    CHECK(status.at("state") == "done");
    CHECK(status.at("exit") == 0);
    CHECK_FALSE(status.contains("pid"));
    CHECK(state_in(status, "last") == "built");
    const Result log = workspace.ask({"log"});
    CHECK(log.code == 0);
    CHECK(log.out == followed.out);
    CHECK(is_at_rest(workspace));
}

TEST_CASE("what is wrong before a detached build begins is told to who starts it", "[detach]") {
    const DetachedWorkspace workspace;
    workspace.pipeline("[stage.a]\nform = \"host\"\nrun = [\"true\"]\n");
    const Result wrong = workspace.build({"--detach"});
    CHECK(wrong.code == 2);
    CHECK(wrong.out.empty());
    CHECK(says(wrong, "did you mean \"from\"?"));
    workspace.pipeline(
        "[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\nneeds = { no-such-program = \"no-such-package\" }\n");
    const Result lacking = workspace.build({"--detach"});
    CHECK(lacking.code == 3);
    CHECK(says(lacking, "no-such-package"));
    CHECK(workspace.ask({"attach"}).code == 3);
    CHECK(workspace.ask({"status", "nothing"}).code == 2);
}

TEST_CASE("log -f and attach end with the build's exit code", "[detach]") {
    const DetachedWorkspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"echo bad; exit 9\"]\n");
    const Result started = workspace.build({"--detach"});
    REQUIRE(started.code == 0);
    const Result followed = workspace.ask({"log", "-f"});
    CHECK(followed.code == 1);
    CHECK(followed.out.find("its command ended with exit code 9") != std::string::npos);
    // One that is over is shown all the same.
    CHECK(workspace.ask({"attach", workspace.the_run()}).code == 1);
    CHECK(workspace.status(workspace.the_run()).at("state") == "failed");
}

TEST_CASE("attach hands Ctrl-C on, and leaves the build alone when it ends otherwise", "[detach]") {
    const DetachedWorkspace workspace;
    workspace.write_gate();
    const std::string name = workspace.start_detached();
    {
        Process attached(workspace.command_on_runs({"attach"}));
        attached.wait_for("gate | waiting");
        attached.signal(SIGQUIT);
        CHECK(attached.finish().code == 0);
    }
    {
        Pty pty;
        Process attached(on(pty, workspace.command_on_runs({"attach"})));
        pty.inner.reset();
        char byte = 0;
        REQUIRE(::read(pty.outer.get(), &byte, 1) == 1);
        pty.outer.reset();
        CHECK(attached.finish().code == -SIGHUP);
    }
    CHECK(workspace.status(name).at("state") == "running");

    Process attached(workspace.command_on_runs({"attach", name}));
    attached.wait_for("gate | waiting");
    attached.signal(SIGINT);
    const Result ended = attached.finish();
    INFO(ended.out);
    CHECK(ended.code == 130);
    CHECK(ended.out.find("interrupted: the running stages are told to end") != std::string::npos);
    CHECK(states({.out = {}, .err = ended.out}) == "quick=built gate=stopped last=skipped");
    const Json status = workspace.status(name);
    CHECK(status.at("state") == "interrupted");
    CHECK(status.at("exit") == 130);
    CHECK(is_at_rest(workspace));
}

TEST_CASE("a build that was killed is told as such", "[detach][alone]") {
    const DetachedWorkspace workspace;
    workspace.write_gate();
    const std::string name = workspace.start_detached();
    Process follower(workspace.command_on_runs({"log", "--follow", name}));
    follower.wait_for("gate | waiting");
    ::kill(workspace.status(name).at("pid").get<pid_t>(), SIGKILL);
    const Result followed = follower.finish();
    CHECK(followed.code == 137);
    CHECK(says(followed, "was killed"));
    const Json status = workspace.status(name);
    CHECK(status.at("state") == "killed");
    CHECK_FALSE(status.contains("pid"));
    CHECK(state_in(status, "quick") == "built");
}

TEST_CASE("a terminal that goes away ends a build, or does not, as the pipeline says", "[detach]") {
    const DetachedWorkspace workspace;
    const bool goes_on = GENERATE(true, false);
    INFO((goes_on ? "continue" : "end"));
    workspace.write_gate(goes_on ? "[defaults]\non-disconnect = \"continue\"\n" : "");
    Pty pty;
    Process build(on(pty, workspace.command({"build", "-j", "1"})));
    pty.inner.reset();
    REQUIRE(becomes_true([&] { return workspace.has_run(); }, 30s));
    REQUIRE(becomes_true([&] { return workspace.has_shown("gate | waiting"); }, 30s));
    pty.outer.reset();
    if (!goes_on) {
        CHECK(build.finish().code == 129);
        CHECK(state_in(workspace.status(workspace.the_run()), "gate") == "stopped");
        return;
    }
    REQUIRE(becomes_true([&] { return workspace.has_shown("the terminal has gone"); }, 30s));
    CHECK(workspace.status(workspace.the_run()).at("state") == "running");
    workspace.go_on();
    CHECK(build.finish().code == 0);
    CHECK(workspace.has_shown("gate | went on"));
    CHECK(workspace.has_shown("receipt: host session untouched"));
    // Written without colours, whatever the terminal had.
    CHECK_FALSE(workspace.has_shown("\033"));
    CHECK(is_at_rest(workspace));
}

TEST_CASE("nohup is believed", "[detach]") {
    const DetachedWorkspace workspace;
    workspace.write_gate();
    Start start = workspace.command({"build", "-j", "1"});
    start.in_child = [] { ::signal(SIGHUP, SIG_IGN); };
    Process build(start);
    build.wait_for("gate | waiting");
    build.signal(SIGHUP);
    build.wait_for("the terminal has gone");
    workspace.go_on();
    CHECK(build.finish().code == 0);
}

TEST_CASE("a build over ssh goes on when the connection is cut, and is found from a second one", "[detach][ssh]") {
    if (!Sshd::is_installed()) {
        unavailable("an OpenSSH server");
        return;
    }
    const DetachedWorkspace workspace;
    const Workspace of_server;
    const Sshd sshd(of_server.path() + "/sshd");
    const Sshd::Terminal terminal = Sshd::best_terminal();
    const bool is_detached = GENERATE(true, false);
    INFO((is_detached ? "--detach" : "on-disconnect = \"continue\""));
    workspace.write_gate(is_detached ? "" : "[defaults]\non-disconnect = \"continue\"\n");
    const std::string build = format("NO_COLOR=1 {} build -j 1 -f {}/stagebox.toml --store {}", stagebox_program(),
                                     workspace.project(), workspace.store());
    {
        // It ends with the connection, as a shell does.
        const std::string command = is_detached ? build + " --detach; cat" : build;
        Process first(sshd.client(command, terminal));
        first.wait_for(is_detached ? "the build goes on in the background" : "gate | waiting");
        REQUIRE(becomes_true([&] { return workspace.has_shown("gate | waiting"); }, 30s));
    }  // the client is killed: to the server, the connection is cut
    const std::string name = workspace.the_run();
    // Without a terminal nothing is told to a build; it is its readers that are gone.
    if (!is_detached && terminal == Sshd::Terminal::allocated) {
        REQUIRE(becomes_true([&] { return workspace.has_shown("the terminal has gone"); }, 30s));
    }

    const std::string store = " --store " + workspace.store();
    const Result found = tests::support::run(sshd.client(stagebox_program() + " status" + store, Sshd::Terminal::none));
    INFO(found.err);
    CHECK(found.code == 0);
    CHECK(found.out.find(name + "  running") != std::string::npos);
    Process second(sshd.client(stagebox_program() + " attach" + store, terminal));
    second.wait_for("gate | waiting");
    workspace.go_on();
    const Result followed = second.finish();
    INFO(followed.out);
    CHECK(followed.code == 0);
    CHECK(followed.out.find("gate | went on") != std::string::npos);
    CHECK(followed.out.find("receipt: host session untouched") != std::string::npos);
    CHECK(workspace.status(name).at("state") == "done");
    CHECK(is_at_rest(workspace));
}
