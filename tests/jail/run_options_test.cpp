// What `stagebox run` takes of bubblewrap's options beyond mounts, and those of its own.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sandbox/os/files.hpp"
#include "sandbox/os/json.hpp"
#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::Json;

namespace {

// A shell outside that prepares descriptors and starts "$RUN" in a root with the host's programs.
Result script(const Workspace& workspace, const std::string& text) {
    std::string run = stagebox_program() + " run";
    for (const std::string& word : with_programs()) run += " " + word;
    return tests::support::run(
        {.argv = {"/bin/sh", "-c", "cd " + workspace.path() + "\n" + text}, .env = {{"RUN", run}}});
}

}  // namespace

TEST_CASE("run: later mounts hide earlier ones, and links are followed within the root", "[run]") {
    const Result seen = tests::jail::run(
        join(with_programs(), {"--tmpfs", "/a", "--dir", "/a/b", "--tmpfs", "/a", "--symlink", "a", "/link", "--tmpfs",
                               "/link", "--dir", "/link/c", "--chmod", "0700", "/a/c", "--remount-ro", "/a"}),
        {"sh", "-c", "ls /a; stat -c %a /a/c; touch /a/x 2>/dev/null || echo refused"});
    INFO(seen.err);
    CHECK(seen.out == "c\n700\nrefused\n");
}

TEST_CASE("run: the caller's id can be shown as another", "[run]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Result seen = tests::jail::run(
        join({"--ids", ids, "--uid", "1000", "--gid", "100"}, with_programs()),
        {"sh", "-c",
         "id -u; id -g; touch /tmp/mine 2>/dev/null; grep -E 'NoNewPrivs|CapEff|CapBnd' /proc/self/status"});
    INFO(seen.err);
    CHECK(seen.out.starts_with("1000\n100\n"));
    CHECK(seen.out.find("CapEff:\t0000000000000000") != std::string::npos);
    CHECK(seen.out.find("NoNewPrivs:\t1") != std::string::npos);
}

TEST_CASE("run: files, filters and status descriptors, and nothing of them in the jail", "[run]") {
    const Workspace workspace;
    const Result told = script(workspace,
                               "echo text >f; printf '\\006\\000\\000\\000\\000\\000\\377\\177' >allow; "
                               "$RUN --file 6 /made --seccomp 7 --info-fd 8 --json-status-fd 9 -- sh -c "
                               "'cat /made; ls /proc/self/fd | wc -l; exit 4' 6<f 7<allow 8>info 9>status; echo $?; "
                               "cat info; tail -1 status");
    INFO(told.err << told.out);
    CHECK(told.out.starts_with("text\n4\n4\n{\n    \"child-pid\": "));
    CHECK(told.out.find("\"net-namespace\"") != std::string::npos);
    CHECK(told.out.ends_with("{ \"exit-code\": 4 }\n"));
    // uname(2), 63, denied with EPERM by the filter that is added.
    const Result denied =
        script(workspace,
               "printf '\\040\\000\\000\\000\\000\\000\\000\\000\\025\\000\\000\\001\\077\\000\\000\\000"
               "\\006\\000\\000\\000\\001\\000\\005\\000\\006\\000\\000\\000\\000\\000\\377\\177' >deny; "
               "$RUN --seccomp 7 -- uname 7<deny");
    CHECK(denied.code == 1);
    CHECK(denied.err.find("Operation not permitted") != std::string::npos);
}

TEST_CASE("run: capabilities are given and taken by name", "[run]") {
    const auto effective = [](const Words& options) {
        return tests::jail::run(join(with_programs(), options), {"sh", "-c", "grep CapEff /proc/self/status"}).out;
    };
    CHECK(effective({"--cap-drop", "ALL"}) == "CapEff:\t0000000000000000\n");
    CHECK(effective({"--cap-drop", "ALL", "--cap-add", "CAP_KILL"}) == "CapEff:\t0000000000000020\n");
}

TEST_CASE("run: what it cannot take is refused in words", "[run]") {
    for (const char* option : {"--userns", "--userns2", "--pidns"}) {
        const Result refused = tests::jail::run({option, "0"}, {"true"});
        CHECK(refused.code == 125);
        CHECK(refused.err.find("a link named bwrap") != std::string::npos);
    }
    CHECK(tests::jail::run({"--as-pid-1"}, {"true"}).code == 125);
    CHECK(tests::jail::run({"--network", "some"}, {"true"}).err.find("none, user or host") != std::string::npos);
    CHECK(tests::jail::run({"--root", "/no/such/root"}, {"true"}).err.find("FILE:STAGE") != std::string::npos);
}

TEST_CASE("run: a report says what was enforced", "[run]") {
    const Workspace workspace;
    const std::string path = workspace.path() + "/report.json";
    CHECK(
        tests::jail::run(join(with_programs(), {"--report", path, "--cap-drop", "ALL"}), {"sh", "-c", "exit 6"}).code ==
        6);
    const Json report = Json::parse(sandbox::os::read_file(AT_FDCWD, path));
    CHECK(report.at("exit") == 6);
    CHECK(report.at("profile") == "build");
    CHECK(report.at("network") == "none");
    CHECK(report.at("namespaces").size() == 7);
    CHECK(report.at("capabilities").empty());
    CHECK(report.at("filters").at(0).at("instructions") > 10);
    CHECK(report.at("filters").at(0).at("sha256").get<std::string>().size() == 64);
    CHECK(report.at("ids").at("uid").at("count") == 1);
}

TEST_CASE("run: timings name the phases of a start", "[run]") {
    const Result timed = tests::jail::run(join(bare(), {"--timings"}), {"/probe", "exit", "0"});
    CHECK(timed.code == 0);
    for (const char* phase : {"options", "profile", "ids", "plan, namespaces and id maps", "root, fences and exec"}) {
        INFO(phase);
        CHECK(timed.err.find(std::string(" us  ") + phase) != std::string::npos);
    }
}

TEST_CASE("run: a root can be an archive, and is gone afterwards", "[run]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Workspace workspace;
    const Result ran =
        tests::support::run({.argv = {"/bin/sh", "-c",
                                      "cd $W && mkdir -p root/bin && cp $PROBE root/probe && echo text >root/file && "
                                      "tar -C root -cf root.tar . && "
                                      "$PROGRAM run --ids " +
                                          ids +
                                          " --root root.tar -- /probe read /file && "
                                          "$PROGRAM run --ids " +
                                          ids +
                                          " --root root.tar -- /probe write /file changed && tar -xOf root.tar ./file; "
                                          "ls -A $STAGEBOX_STORE/v2/staging $STAGEBOX_STORE/v2/trash"},
                             .env = {{"W", workspace.path()},
                                     {"PROBE", probe_program()},
                                     {"PROGRAM", stagebox_program()},
                                     {"STAGEBOX_STORE", workspace.store()}}});
    INFO(ran.out << ran.err);
    CHECK(ran.out.starts_with("text\n"));
    CHECK(value_of(ran.out, "write") == "ok");
    CHECK(ran.out.find("text\n" + workspace.store() + "/v2/staging:\n\n" + workspace.store() + "/v2/trash:\n") !=
          std::string::npos);
}

TEST_CASE("run: a root can be what a stage has made, and stays as it is", "[run]") {
    const Workspace workspace;
    workspace.add_probe();
    workspace.pipeline(std::string(tools_stage) + R"toml(
[stage.made]
from = "tools.root"
run = ["sh", "-c", "echo made > /made"]
)toml");
    REQUIRE(workspace.build().code == 0);
    const auto in_stage = [&](const std::string& text) {
        return tests::support::run({.argv = {stagebox_program(), "run", "--root",
                                             workspace.project() + "/stagebox.toml:made", "--", "/bin/sh", "-c", text},
                                    .env = {{"STAGEBOX_STORE", workspace.store()}}});
    };
    const Result changed = in_stage("cat /made; echo changed > /made; cat /made");
    INFO(changed.err);
    CHECK(changed.out == "made\nchanged\n");
    CHECK(in_stage("cat /made").out == "made\n");
}

TEST_CASE("run: a terminal of its own, also where the caller has none", "[run]") {
    Start start = start_of(join(with_programs(), {"--tty"}),
                           {"sh", "-c", "test -t 0 && test -t 1 && echo terminal; cat; echo over"});
    start.input = "first\nlast";
    const Result seen = tests::support::run(start);
    INFO(seen.out << seen.err);
    CHECK(seen.code == 0);
    CHECK(seen.out.find("terminal\r\n") != std::string::npos);
    CHECK(seen.out.find("first\r\n") != std::string::npos);
    CHECK(seen.out.find("last") != std::string::npos);
    CHECK(seen.out.ends_with("over\r\n"));

    const int outer = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(outer >= 0);
    REQUIRE(::unlockpt(outer) == 0);
    const winsize size = {33, 101, 0, 0};
    REQUIRE(::ioctl(outer, TIOCSWINSZ, &size) == 0);
    const int inner = ::ioctl(outer, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(inner >= 0);
    Start on_terminal = start_of(join(with_programs(), {"--tty"}), {"sh", "-c", "stty size; exit 9"});
    on_terminal.terminal = inner;
    Process process(on_terminal);
    CHECK(process.finish().code == 9);
    ::close(inner);
    std::string text(4096, '\0');
    const ssize_t got = ::read(outer, text.data(), text.size());
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    CHECK(text.find("33 101") != std::string::npos);
    ::close(outer);
}
