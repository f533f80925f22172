// What a pipeline asks for beyond its jails: told before anything runs, and granted or refused.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;

namespace fs = std::filesystem;

namespace {

constexpr std::string_view asking = R"toml(
[stage.plain]
from = "host"
run = ["true"]
[stage.fetch]
from = "host"
network = "host"
run = ["sh", "-c", "echo it ran"]
[stage.debug]
from = "host"
profile = "shell"
run = ["true"]
)toml";

constexpr const char* refusal =
    "error: the pipeline asks for more than was granted to it: host-network (fetch), ptrace (debug)\n"
    "  help: look at what asks, and grant it with --allow host-network,ptrace; \"PERMISSIONS\" in stagebox(1) has "
    "other "
    "ways";

// A user with a home of its own: no answer and no configuration of whoever runs the tests counts.
struct Home {
    explicit Home(const Workspace& workspace) : path(workspace.path() + "/home") { fs::create_directory(path); }

    [[nodiscard]] Start start(const Workspace& workspace, std::vector<std::string> words) const {
        Start start = workspace.command(std::move(words));
        start.env = {{"HOME", path}, {"XDG_CONFIG_HOME", ""}, {"XDG_STATE_HOME", ""}};
        return start;
    }
    void configure(const std::string& text) const {
        fs::create_directories(path + "/.config/stagebox");
        std::ofstream(config()) << text;
    }
    [[nodiscard]] std::string config() const { return path + "/.config/stagebox/config.toml"; }
    [[nodiscard]] std::size_t answers() const {
        std::error_code none;
        const fs::directory_iterator all(path + "/.local/state/stagebox/permissions", none);
        return none ? 0 : static_cast<std::size_t>(std::distance(all, fs::directory_iterator()));
    }
    std::string path;
};

// A person at a terminal, who types `answer` when the question comes. Everything that was said.
struct Talk {
    int code = 0;
    std::string said;
};

Talk talk(Start start, const std::string& answer) {
    const Fd line(sys([] { return ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); }, "open a terminal"));
    sys([&] { return ::unlockpt(line.get()); }, "unlock the terminal");
    Fd inner(
        sys([&] { return ::ioctl(line.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); }, "open its other side"));
    start.terminal = inner.get();
    start.in_child = [] { ::ioctl(0, TIOCSCTTY, 0); };
    start.env["NO_COLOR"] = "1";
    Process process(start);
    inner.reset();
    Talk talk;
    bool is_answered = false;
    char buffer[4096];
    for (;;) {
        const ssize_t got = ::read(line.get(), buffer, sizeof buffer);
        if (got <= 0) break;  // EIO: nobody is at the other side any more
        talk.said.append(buffer, static_cast<std::size_t>(got));
        if (is_answered || talk.said.find("[y/N] ") == std::string::npos) continue;
        is_answered = true;
        sandbox::os::write_all(line.get(), answer + "\n", "an answer");
    }
    std::erase(talk.said, '\r');
    talk.code = process.finish().code;
    return talk;
}

bool has(const Talk& talk, std::string_view text) {
    return talk.said.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("check and build name what is asked for, and without a grant nothing runs", "[consent]") {
    const Workspace workspace;
    const Home home(workspace);
    workspace.pipeline(asking);
    const Result checked = run({.argv = {stagebox_program(), "check", "-f", workspace.project() + "/stagebox.toml"}});
    CHECK(checked.code == 0);
    CHECK(says(checked,
               "asks for host-network: the host's network, by stage fetch\n"
               "asks for ptrace: looking into its own processes, by stage debug\n"));

    const Result refused = run(home.start(workspace, {"build"}));
    INFO(refused.err);
    CHECK(refused.code == 2);
    CHECK(refused.err.starts_with("asks for host-network: "));
    CHECK(says(refused, refusal));
    CHECK_FALSE(fs::exists(workspace.store()));
    CHECK(run(home.start(workspace, {"build", "--allow", "host-network"})).code == 2);
    CHECK(run(home.start(workspace, {"build", "--detach"})).code == 2);
    CHECK(home.answers() == 0);

    // What is not asked for needs no grant; what is granted beyond that changes nothing.
    CHECK(run(home.start(workspace, {"build", "plain"})).code == 0);
    const Result part = run(home.start(workspace, {"build", "--allow", "host-network", "fetch"}));
    CHECK(part.code == 0);
    const Result all = run(home.start(workspace, {"build", "--allow", "host-network", "--allow", "devices,ptrace"}));
    INFO(all.err);
    CHECK(all.code == 0);
    CHECK(states(all) == "plain=cached fetch=cached debug=built");
    // A result that is there is asked for all the same.
    CHECK(run(home.start(workspace, {"build"})).code == 2);
}

TEST_CASE("a word that there is not is an error of the command line", "[consent]") {
    const Workspace workspace;
    workspace.pipeline(asking);
    const Result wrong = workspace.build({"--allow", "host-netwrok"});
    CHECK(wrong.code == 2);
    CHECK(says(wrong, "there is no permission \"host-netwrok\": did you mean \"host-network\"?"));
    CHECK(workspace.build({"--allow", ""}).code == 2);
}

TEST_CASE("shell and profile learn ask for what the stage asks for, plan and explain for nothing", "[consent]") {
    const Workspace workspace;
    const Home home(workspace);
    workspace.pipeline(asking);
    Start shell = home.start(workspace, {"shell", "fetch"});
    shell.input = "echo inside; exit 7\n";
    const Result refused = run(shell);
    INFO(refused.err);
    CHECK(refused.code == 2);
    CHECK(says(refused, "host-network (fetch)"));
    CHECK_FALSE(says(refused, "inside"));
    shell.argv.insert(shell.argv.end(), {"--allow", "host-network"});
    const Result inside = run(shell);
    INFO(inside.err);
    CHECK(inside.code == 7);
    CHECK(says(inside, "inside"));
    const std::string file = workspace.project() + "/stagebox.toml";
    const auto learn = [&](const std::vector<std::string>& words) {
        Start start = home.start(workspace, {"build"});
        start.argv = {stagebox_program(), "profile", "learn", "-o", workspace.path() + "/learned.toml", "-f", file};
        start.argv.insert(start.argv.end(), words.begin(), words.end());
        start.env["STAGEBOX_STORE"] = workspace.store();
        return run(start);
    };
    CHECK(learn({"fetch"}).code == 2);
    CHECK(learn({"--allow", "host-network", "fetch"}).code == 0);
    CHECK(run(home.start(workspace, {"plan", "fetch"})).code == 0);
    CHECK(run(home.start(workspace, {"explain", "fetch"})).code == 0);
    // A shell starts no service of the host, so it asks for none.
    workspace.pipeline("requires-services = [{ name = \"x.service\", allow-start = true }]\n" + std::string(asking));
    Start plain = home.start(workspace, {"shell", "plain"});
    plain.input = "exit 5\n";
    CHECK(run(plain).code == 5);
    CHECK(says(run(home.start(workspace, {"build", "plain"})), "--allow host-services"));
}

TEST_CASE("an answer on a terminal holds until something changes that it was about", "[consent]") {
    const Workspace workspace;
    const Home home(workspace);
    workspace.write("fetch.sh", "#!/bin/sh\necho it ran\n");
    const std::string stage = "[stage.fetch]\nfrom = \"host\"\nscript = \"fetch.sh\"\nnetwork = \"host\"\n";
    workspace.pipeline(stage);
    const auto ask = [&](const std::string& answer) { return talk(home.start(workspace, {"build"}), answer); };

    const Talk no = ask("n");
    INFO(no.said);
    CHECK(no.code == 2);
    CHECK(has(no, "asks for host-network: the host's network, by stage fetch\n"));
    CHECK(has(no, "error: not allowed, so nothing was run"));
    CHECK(home.answers() == 0);
    CHECK(ask("").code == 2);

    const Talk yes = ask("yes");
    INFO(yes.said);
    CHECK(yes.code == 0);
    CHECK(has(yes, "fetch | it ran"));
    CHECK(home.answers() == 1);
    // It holds without a terminal, too.
    const Result later = run(home.start(workspace, {"build"}));
    INFO(later.err);
    CHECK(later.code == 0);
    CHECK(says(later, "granted by an answer that was given before: host-network\n"));
    // A stage that asks for nothing is no part of it.
    workspace.pipeline(stage + "[stage.more]\nfrom = \"host\"\nrun = [\"true\"]\n");
    CHECK(run(home.start(workspace, {"build"})).code == 0);

    SECTION("the script") {
        workspace.write("fetch.sh", "#!/bin/sh\necho something else\n");
        CHECK(run(home.start(workspace, {"build"})).code == 2);
        workspace.write("fetch.sh", "#!/bin/sh\necho it ran\n");
        CHECK(run(home.start(workspace, {"build"})).code == 0);
    }
    SECTION("another stage that asks") {
        workspace.pipeline(stage + "[stage.more]\nfrom = \"host\"\nnetwork = \"host\"\nrun = [\"true\"]\n");
        const Talk again = ask("y");
        INFO(again.said);
        CHECK(again.code == 0);
        CHECK(has(again, "by stages fetch, more"));
        CHECK(run(home.start(workspace, {"build"})).code == 0);
    }
    SECTION("the profile") {
        workspace.write("profiles/build.toml", "name = \"build\"\nextends = \"build\"\nhostname = \"other\"\n");
        CHECK(run(home.start(workspace, {"build"})).code == 2);
    }
    SECTION("another word") {
        workspace.pipeline(stage + "devices = [\"kvm\"]\n");
        const Result more = run(home.start(workspace, {"build"}));
        CHECK(more.code == 2);
        CHECK(says(more, "--allow host-network,devices"));
    }
    SECTION("another directory with the same pipeline") {
        fs::rename(workspace.project(), workspace.path() + "/elsewhere");
        fs::create_directory(workspace.project());
        Start start = home.start(workspace, {"build"});
        start.argv[3] = workspace.path() + "/elsewhere/stagebox.toml";
        CHECK(run(start).code == 2);
    }
}

TEST_CASE("the user's own file grants words to directories, and says that it trusts what is pulled there",
          "[consent]") {
    const Workspace workspace;
    const Home home(workspace);
    workspace.pipeline(asking);
    home.configure(format("[allow]\n\"{}\" = [\"host-network\", \"ptrace\"]\n", workspace.path()));
    const Result built = run(home.start(workspace, {"build"}));
    INFO(built.err);
    CHECK(built.code == 0);
    CHECK(
        says(built, format("granted by [allow] of {}, which trusts whatever is pulled into {}: host-network, ptrace\n",
                           home.config(), workspace.path())));

    // Beside --allow; a name that only begins alike is another directory; a link counts as what it leads to.
    home.configure(format("[allow]\n\"{}\" = [\"ptrace\"]\n", workspace.project()));
    CHECK(run(home.start(workspace, {"build"})).code == 2);
    CHECK(run(home.start(workspace, {"build", "--allow", "host-network"})).code == 0);
    home.configure(format("[allow]\n\"{}/proj\" = [\"host-network\", \"ptrace\"]\n", workspace.path()));
    CHECK(run(home.start(workspace, {"build"})).code == 2);
    fs::create_directory_symlink(workspace.project(), home.path + "/work");
    home.configure("[allow]\n\"~/work\" = [\"host-network\", \"ptrace\"]\n");
    CHECK(run(home.start(workspace, {"build"})).code == 0);

    home.configure("[allow]\n\"~\" = [\"everything\"]\n");
    const Result wrong = run(home.start(workspace, {"build"}));
    CHECK(wrong.code == 2);
    CHECK(says(wrong, home.config() + ":2:8: error: there is no permission \"everything\": there are host-network, "));
    home.configure("[allow]\n\"work\" = [\"ptrace\"]\n");
    CHECK(says(run(home.start(workspace, {"build"})), "\"work\" is no directory's full name"));
}

TEST_CASE("a file that others can have written grants nothing", "[consent]") {
    const Workspace workspace;
    const Home home(workspace);
    workspace.pipeline(asking);
    home.configure(format("[allow]\n\"{}\" = [\"host-network\", \"ptrace\"]\n", workspace.path()));
    const std::string folder = home.path + "/.config/stagebox";
    const auto refused = [&](const std::string& why) {
        const Result result = run(home.start(workspace, {"build"}));
        INFO(result.err);
        return result.code == 2 && says(result, why) && !says(result, "it ran");
    };
    ::chmod(home.config().c_str(), 0664);
    CHECK(refused("others may write it\n  help: chmod go-w " + home.config()));
    ::chmod(home.config().c_str(), 0644);
    ::chmod(folder.c_str(), 0777);
    CHECK(refused("others may write it\n  help: chmod go-w " + folder));
    ::chmod(folder.c_str(), 0755);
    CHECK(run(home.start(workspace, {"build"})).code == 0);
    fs::rename(home.config(), home.path + "/real.toml");
    fs::create_symlink(home.path + "/real.toml", home.config());
    CHECK(refused("it is a symbolic link"));
    fs::remove(home.config());
    REQUIRE(::mkfifo(home.config().c_str(), 0600) == 0);
    CHECK(refused("it is no file"));
    fs::remove(home.config());
    fs::create_directory(home.config());
    CHECK(refused("it is no file"));
    fs::remove(home.config());
    if (::geteuid() == 0) {
        home.configure(format("[allow]\n\"{}\" = [\"host-network\", \"ptrace\"]\n", workspace.path()));
        REQUIRE(::chown(home.config().c_str(), 1, 1) == 0);
        CHECK(refused("it belongs to somebody else"));
    }
}

TEST_CASE("a profile of the repository that widens what ships counts", "[consent][profile]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nprofile = \"mine\"\nrun = [\"true\"]\n");
    struct Row {
        const char* lines;
        const char* words;
    };
    const std::vector<Row> rows = {
        {"extends = \"build\"\n", ""},
        {"extends = \"build\"\nseccomp-deny = [\"chroot\"]\ncapabilities-drop = [\"chown\"]\n", ""},
        {"extends = \"build\"\nmasked-add = [\"/proc/uptime\"]\n", ""},
        {"extends = \"build\"\ncapabilities-add = [\"net_raw\"]\n", "capabilities"},
        {"extends = \"build\"\nseccomp = []\n", "system-calls"},
        {"extends = \"build\"\nseccomp-allow = [\"set_mempolicy\"]\n", "system-calls"},
        {"extends = \"build\"\nmasked = []\n", "proc-paths"},
        {"extends = \"build\"\nread-only-drop = [\"/proc/sys\"]\n", "proc-paths"},
        {"extends = \"build\"\nallow-add = [\"ptrace\", \"no-landlock\"]\n", "ptrace,no-landlock"},
        {"extends = \"shell\"\n", "ptrace"},
        {"extends = \"build\"\nallow-add = [\"ptrace\"]\ncapabilities-add = [\"sys_ptrace\"]\n", "ptrace"},
        {"extends = \"build\"\ncapabilities-add = [\"sys_ptrace\"]\n", "capabilities"},
    };
    for (const Row& row : rows) {
        INFO(row.lines);
        workspace.write("profiles/mine.toml", std::string("name = \"mine\"\n") + row.lines);
        const Result plain = workspace.build();
        INFO(plain.err);
        CHECK(plain.code == (*row.words == '\0' ? 0 : 2));
        if (*row.words == '\0') continue;
        CHECK(says(plain, std::string("--allow ") + row.words + ";"));
        CHECK(workspace.build({"--allow", row.words}).code == 0);
    }
}
