// Denials that are reported: what the supervisor hears, that answers stay what they were, and that a payload can
// neither stall nor crash the one who listens.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/fakeroot/listener.hpp"
#include "sandbox/filter/denials.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/launch/launch.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/profile/profile.hpp"
#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::support;
using sandbox::Jail;
using sandbox::Notice;
using sandbox::os::Fd;
using sandbox::os::sys;

namespace {

// The probe in a jail of the `build` profile, started by the test itself, so that the test is the supervisor.
class ReportedJail {
  public:
    ReportedJail(std::vector<std::string> command, sandbox::IdMode ids) {
        sandbox::BuildSpec spec;
        sandbox::apply_profile(sandbox::load_profile("build"), spec);
        spec.ids = sandbox::resolve_idmap(ids).map;
        spec.denials = sandbox::Denials::reported;
        spec.mounts = {sandbox::Tmpfs{"/", 0755, 0}, sandbox::Bind{probe_program(), "/probe"}, sandbox::Proc{"/proc"}};
        command.insert(command.begin(), "/probe");
        int ends[2];
        sys([&] { return ::pipe2(ends, O_CLOEXEC); }, "make a pipe");
        output_ = Fd(ends[0]);
        const Fd writer(ends[1]);
        const Fd null(sys([] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); }, "open /dev/null"));
        sandbox::Command payload;
        payload.argv = std::move(command);
        payload.stdin_fd = null.get();
        payload.stdout_fd = payload.stderr_fd = writer.get();
        auto launched = sandbox::launch(sandbox::make_plan(spec, payload));
        if (const auto* error = std::get_if<sandbox::SetupError>(&launched)) FAIL(sandbox::to_string(*error));
        jail_.emplace(std::move(std::get<Jail>(launched)));
        listener_.emplace(jail_->take_listener());
    }

    Jail& jail() { return *jail_; }
    sandbox::Listener& listener() { return *listener_; }

    // Waits for the next notice; nothing when the jail is gone.
    std::optional<Notice> next() {
        for (;;) {
            if (auto notice = listener_->next()) return notice;
            pollfd waiting[2] = {{listener_->fd(), POLLIN, 0}, {jail_->pidfd(), POLLIN, 0}};
            if (listener_->is_over()) waiting[0].fd = -1;
            REQUIRE(::poll(waiting, 2, 10'000) > 0);
            if (waiting[1].revents != 0) return std::nullopt;
        }
    }

    // All that the payload said, after its end.
    std::string finish() {
        const auto outcome = jail_->wait();
        CHECK(outcome.how.has_exited());
        return sandbox::os::read_all(output_.get(), "the probe's output");
    }

  private:
    Fd output_;
    std::optional<Jail> jail_;
    std::optional<sandbox::Listener> listener_;
};

sandbox::IdMode any_ids() {
    return GENERATE(sandbox::IdMode::single, sandbox::IdMode::range);
}

}  // namespace

TEST_CASE("a denied call waits for its supervisor, who sees it and gives the answer", "[denial]") {
    ReportedJail jail({"mount-tmpfs", "/proc"}, any_ids());
    const auto notice = jail.next();
    REQUIRE(notice);
    CHECK(notice->call.nr == SYS_mount);
    CHECK(notice->thread > 0);
    CHECK(jail.listener().still_valid(*notice));
    CHECK(jail.listener().read_path(*notice, notice->call.args[1]) == "/proc");
    CHECK_FALSE(jail.listener().read_path(*notice, 8));
    const auto process = jail.listener().process(*notice);
    REQUIRE(process);
    CHECK(process->pid == 2);
    CHECK(process->name == "probe");
    CHECK(process->executable == "/probe");
    CHECK(process->working_directory == "/");
    CHECK(jail.listener().answer_error(*notice, EDOM));
    CHECK_FALSE(jail.listener().answer_error(*notice, EDOM));
    CHECK_FALSE(jail.listener().still_valid(*notice));
    while (const auto another = jail.next()) CHECK(jail.listener().answer_error(*another, EXDEV));
    const std::string answers = jail.finish();
    CHECK(value_of(answers, "mount") == "EDOM");
    CHECK(value_of(answers, "fsopen") == "EXDEV");
}

TEST_CASE("a supervisor can answer with a value, and let a call go on", "[denial]") {
    const std::string number = std::to_string(SYS_keyctl);
    ReportedJail answered({"syscall", number, "0", "0"}, any_ids());
    auto notice = answered.next();
    REQUIRE(notice);
    CHECK(answered.listener().answer_value(*notice, 4711));
    CHECK_FALSE(answered.next());
    CHECK(answered.finish() == number + "=4711\n");

    // The kernel itself refuses the unknown operation.
    ReportedJail gone_on({"syscall", number, "1000000"}, any_ids());
    notice = gone_on.next();
    REQUIRE(notice);
    CHECK(gone_on.listener().go_on(*notice));
    CHECK_FALSE(gone_on.next());
    CHECK(gone_on.finish() == number + "=EOPNOTSUPP\n");
}

TEST_CASE("what is allowed or answered ENOSYS asks nobody, and the listener is the supervisor's alone", "[denial]") {
    ReportedJail allowed({"fds"}, any_ids());
    CHECK_FALSE(allowed.next());
    const std::string fds = allowed.finish();
    INFO(fds);
    CHECK(value_of(fds, "0") == "/dev/null");
    CHECK(value_of(fds, "3") == "(no 3)");
    CHECK(fds.find("seccomp") == std::string::npos);

    ReportedJail unknown({"syscall", "435"}, any_ids());
    CHECK_FALSE(unknown.next());
    CHECK(unknown.finish() == "435=ENOSYS\n");
}

TEST_CASE("a payload that is killed while its call waits leaves an empty listener", "[denial]") {
    ReportedJail jail({"mount-tmpfs", "/proc"}, any_ids());
    const auto notice = jail.next();
    REQUIRE(notice);
    jail.jail().kill();
    jail.jail().wait();
    CHECK_FALSE(jail.listener().still_valid(*notice));
    CHECK_FALSE(jail.listener().answer_error(*notice, EPERM));
    CHECK_FALSE(jail.listener().read_path(*notice, notice->call.args[1]));
    CHECK_FALSE(jail.listener().process(*notice));
    CHECK_FALSE(jail.listener().next());
    CHECK(jail.listener().is_over());
}

TEST_CASE("a command that is not there ends a jail with a listener as it does any", "[denial]") {
    sandbox::BuildSpec spec;
    sandbox::apply_profile(sandbox::load_profile("build"), spec);
    spec.ids = sandbox::resolve_idmap(sandbox::IdMode::single).map;
    spec.denials = sandbox::Denials::reported;
    spec.mounts = {sandbox::Tmpfs{"/", 0755, 0}};
    const Fd null(sys([] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); }, "open /dev/null"));
    sandbox::Command command;
    command.argv = {"/nothing"};
    command.stdin_fd = command.stdout_fd = command.stderr_fd = null.get();
    const auto launched = sandbox::launch(sandbox::make_plan(spec, command));
    const auto* error = std::get_if<sandbox::SetupError>(&launched);
    REQUIRE(error != nullptr);
    CHECK(error->is_exec());
}

// What `stagebox run` makes of it.

TEST_CASE("a command that fails tells what it was denied, and what would allow it", "[denial]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Result failed = tests::jail::shell(ids, "/probe mount-tmpfs /proc; /probe syscall 165; exit 3");
    INFO(failed.err);
    CHECK(failed.code == 3);
    CHECK(failed.err.find("denied: mount(\"tmpfs\", \"/proc\", \"tmpfs\", 0x0, …) by probe (pid ") !=
          std::string::npos);
    CHECK(failed.err.find(", 2 times: EPERM") != std::string::npos);
    CHECK(failed.err.find("allow-add = [\"mounts\"] in a profile that extends \"build\"") != std::string::npos);
    CHECK(failed.err.find("denied: fsopen(\"tmpfs\", 0x0) by probe") != std::string::npos);

    const Result fine = tests::jail::shell(ids, "/probe mount-tmpfs /proc");
    CHECK(fine.code == 0);
    CHECK(fine.err.empty());
    CHECK(value_of(fine.out, "mount") == "EPERM");
}

TEST_CASE("what a filter denies for its arguments is told by their names", "[denial]") {
    const Result failed =
        tests::jail::shell("single", "/probe tiocsti; /probe unshare 0x10000000; /probe syscall 41 40; exit 1");
    INFO(failed.err);
    CHECK(failed.err.find("TIOCSTI, …) by probe") != std::string::npos);
    CHECK(failed.err.find("unshare(CLONE_NEWUSER) by probe") != std::string::npos);
    CHECK(failed.err.find("socket(AF_VSOCK, 0x0, 0) by probe") != std::string::npos);
    CHECK(failed.err.find("EAFNOSUPPORT") != std::string::npos);
}

TEST_CASE("a payload's names do not steer the terminal", "[denial]") {
    const Result failed =
        tests::jail::shell("single", "cp /probe \"/tmp/$(printf 'a\\033[31mb')\"; /tmp/a*b mount-tmpfs /proc; exit 1");
    INFO(failed.err);
    CHECK(failed.err.find("by a?[31mb (pid") != std::string::npos);
    CHECK(failed.err.find('\033') == std::string::npos);
}

TEST_CASE("after very many denials nobody looks, and they are denied all the same", "[denial]") {
    const Result flooded = tests::jail::shell("single", "/probe deny-loop 30000 4; exit 1");
    INFO(flooded.err);
    CHECK(flooded.code == 1);
    CHECK(value_of(flooded.out, "first") == "EPERM");
    CHECK(value_of(flooded.out, "last") == "ENOSYS");
    CHECK(flooded.err.find("100000 times: EPERM") != std::string::npos);
    CHECK(flooded.err.find("only the first 100000 were looked at") != std::string::npos);
}

TEST_CASE("a flood of denials does not keep a signal from being passed on", "[denial]") {
    for (int i = 0; i < 5; ++i) {
        Process flood(tests::jail::start_of(tests::jail::bare(), {"/probe", "deny-loop", "0", "8"}));
        flood.wait_for("processes=8");
        ::usleep(100'000);
        flood.signal(SIGTERM);
        CHECK(flood.finish(std::chrono::seconds(5)).code == 143);
    }
}

TEST_CASE("processes that are killed while they wait for an answer stall nobody", "[denial]") {
    const Result killed = tests::jail::shell("single", "/probe deny-killed 1000; /probe mount-tmpfs /proc; exit 1");
    INFO(killed.err);
    CHECK(killed.code == 1);
    CHECK(value_of(killed.out, "killed") == "1000");
    CHECK(value_of(killed.out, "mount") == "EPERM");
}

namespace {

// As a container does whose filter asks its runtime: from here on, no filter inside can have a listener.
void take_the_listener() {
    sock_filter allow_all = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    const sock_fprog program = {1, &allow_all};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const long listener = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0) ::_exit(99);
    ::fcntl(static_cast<int>(listener), F_SETFD, 0);
}

}  // namespace

TEST_CASE("where a listener cannot be had, calls are denied all the same, and the report says so", "[denial]") {
    Start start = tests::jail::start_of(tests::jail::with_programs(), {"sh", "-c", "/probe mount-tmpfs /proc; exit 1"});
    start.in_child = take_the_listener;
    const Result denied = tests::support::run(start);
    INFO(denied.err);
    CHECK(denied.code == 1);
    CHECK(value_of(denied.out, "mount") == "EPERM");
    CHECK(denied.err.find("denials: not reported: a system call filter around Stagebox has a listener") !=
          std::string::npos);

    Start learning = {.argv = {stagebox_program(), "profile", "learn", "-o", "/dev/null/x.toml", "true"}};
    learning.in_child = take_the_listener;
    const Result refused = tests::support::run(learning);
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.err.find("has a listener, and the kernel allows one") != std::string::npos);
}

// `stagebox profile learn`.

TEST_CASE("a learned profile allows what the command did, and nothing else", "[denial][learn]") {
    const Workspace workspace;
    const std::string profile = workspace.project() + "/learned.toml";
    const auto words = [&](const tests::jail::Words& start, const std::string& script) {
        return tests::support::run(
            {.argv = tests::jail::join(
                 tests::jail::join(tests::jail::join({stagebox_program()}, start), tests::jail::with_programs()),
                 {"--", "sh", "-c", script})});
    };
    const std::string script = "echo text >/tmp/x; cat /tmp/x; ls /tmp | sort; /probe mount-tmpfs /proc";
    const Result learned = words({"profile", "learn", "-o", profile}, script);
    INFO(learned.err);
    REQUIRE(learned.code == 0);
    CHECK(learned.out.starts_with("text\nx\nmount=EPERM\n"));
    CHECK(learned.err.find("system calls learned") != std::string::npos);

    const Result again = words({"run", "--profile", profile}, script);
    INFO(again.err);
    CHECK(again.code == 0);
    CHECK(again.out == learned.out);

    const Result other = words({"run", "--profile", profile}, "/probe syscall 83 1 0; mkdir /tmp/d");
    INFO(other.err);
    CHECK(value_of(other.out, "83") == "EPERM");
    CHECK(other.code != 0);
    CHECK(other.err.find("denied: mkdir(\"/tmp/d\"") != std::string::npos);
    CHECK(words({"run"}, "mkdir /tmp/d").code == 0);
}
