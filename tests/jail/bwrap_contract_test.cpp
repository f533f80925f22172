// What callers of bwrap rely on beside its output: descriptors, the order of life and death, files from descriptors.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "sandbox/os/files.hpp"
#include "sandbox/os/json.hpp"
#include "tests/jail/bwrap.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::Json;
using namespace std::chrono_literals;

namespace {

const Words host = {"--ro-bind", "/", "/"};

// `bwrap` under a shell that prepares descriptors: $BWRAP is the program, and the rest of the script is the shell's.
Result script(const std::string& text) {
    const Workspace workspace;
    return tests::support::run(
        {.argv = {"/bin/sh", "-c", "cd " + workspace.path() + "\n" + text}, .env = {{"BWRAP", bwrap_link(workspace)}}});
}

}  // namespace

TEST_CASE("bwrap passes descriptors, environment and session on", "[bwrap]") {
    const Result seen = script(
        "export SOME_WORD=kept; exec 7<<X\nfrom the caller\nX\n"
        "$BWRAP --ro-bind / / sh -c 'cat <&7; echo $SOME_WORD; ps -o sid= -p $$' | tr -d ' '; ps -o sid= -p $$ | tr -d "
        "' '");
    const std::string lines = seen.out;
    INFO(seen.err);
    CHECK(lines.starts_with("fromthecaller\nkept\n"));
    const std::string sessions = lines.substr(std::string("fromthecaller\nkept\n").size());
    CHECK(sessions.substr(0, sessions.size() / 2) == sessions.substr(sessions.size() / 2));
    // What an option consumed is not passed on.
    CHECK(script("exec 7</dev/null; $BWRAP --ro-bind / / --file 7 /tmp/x sh -c ': <&7' 2>/dev/null; echo $?").out !=
          "0\n");
}

TEST_CASE("bwrap makes files from descriptors", "[bwrap]") {
    const std::string root =
        "$BWRAP --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 "
        "/lib64 ";
    const Result made = script("echo one >a; echo two >b; echo three >c; " + root +
                               "--file 7 /f --bind-data 8 /d/g --perms 0640 --ro-bind-data 9 /h sh -c '"
                               "cat /f /d/g /h; stat -c \"%n %a\" /f /d /d/g /h; echo more >>/f; echo more >>/d/g; "
                               "(echo more >>/h) 2>/dev/null; echo $?; cat /f /d/g' 7<a 8<b 9<c");
    INFO(made.err);
    CHECK(made.out == "one\ntwo\nthree\n/f 666\n/d 700\n/d/g 600\n/h 640\n2\none\nmore\ntwo\nmore\n");
    const Result bound = script("mkdir tree; echo in >tree/file; " + root +
                                "--bind-fd 7 /w --ro-bind-fd 8 /r sh -c 'cat /w/file; echo x >/w/new; (echo y >/r/no) "
                                "2>/dev/null; echo $?; ls /r' 7<tree 8<tree");
    INFO(bound.err);
    CHECK(bound.out == "in\n2\nfile\nnew\n");
}

TEST_CASE("bwrap reads options from a descriptor", "[bwrap]") {
    CHECK(script("printf '%s\\0' --ro-bind / / --setenv A b >words; $BWRAP --args 9 sh -c 'echo $A' 9<words").out ==
          "b\n");
    CHECK(script("printf '%s\\0' --args 9 >words; $BWRAP --args 9 true 9<words").err ==
          "bwrap: --args not supported in arguments file\n");
}

TEST_CASE("bwrap tells of a jail as JSON", "[bwrap]") {
    const Result told = script(
        "$BWRAP --ro-bind / / --unshare-pid --info-fd 7 --json-status-fd 8 sh -c 'exit 3' 7>info 8>status; "
        "echo $?; cat info; echo ---; cat status");
    INFO(told.err << told.out);
    REQUIRE(told.out.starts_with("3\n{\n    \"child-pid\": "));
    const std::size_t cut = told.out.find("---\n");
    const Json info = Json::parse(told.out.substr(2, cut - 2));
    CHECK(info.at("child-pid").get<int>() > 1);
    CHECK(info.at("mnt-namespace").get<std::uint64_t>() > 0);
    CHECK(info.at("pid-namespace").get<std::uint64_t>() > 0);
    CHECK_FALSE(info.contains("net-namespace"));
    const std::string status = told.out.substr(cut + 4);
    CHECK(Json::parse(status.substr(0, status.find('\n'))) == info);
    CHECK(status.ends_with("\n{ \"exit-code\": 3 }\n"));
    // No exit code of a command that never ran.
    CHECK(script("$BWRAP --ro-bind / / --json-status-fd 8 /no/such/program 8>status; grep -c exit-code status").out ==
          "0\n");
}

TEST_CASE("what a command leaves running lives on, unless its caller said otherwise", "[bwrap]") {
    const std::string marker = unique_marker();
    const Workspace workspace;
    const std::string own = bwrap_link(workspace);
    const Words leave = {"sh", "-c", probe_program() + " sleep 1000 " + marker + " >/dev/null 2>&1 & exit 5"};
    const Words options = {own, "--dev-bind", "/", "/", "--unshare-pid"};
    // Init lives on with them, and so do its standard streams.
    const Words quietly = {"/bin/sh", "-c", "\"$@\" >/dev/null 2>&1", "sh"};
    CHECK(tests::support::run({.argv = join(join(quietly, options), leave)}).code == 5);
    const auto left = processes_with(marker);
    CHECK_FALSE(left.empty());
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    CHECK(becomes_true([&] { return processes_with(marker).empty(); }, 2s));

    Process tied({.argv = join(join(options, {"--die-with-parent"}), {probe_program(), "sleep", "1000", marker})});
    tied.wait_for("sleeping=");
    tied.signal(SIGKILL);
    CHECK(becomes_true([&] { return processes_with(marker).empty(); }, 2s));
}

TEST_CASE("bwrap waits, holds and locks as it is told", "[bwrap]") {
    // Nothing starts before there is something to read.
    CHECK(
        script("mkfifo f; (sleep 0.3; echo first; echo >f) & $BWRAP --ro-bind / / --block-fd 7 echo second 7<>f; wait")
            .out == "first\nsecond\n");
    // The reader of the pipe sees its end only when the jail is gone.
    CHECK(script("exec 3>&1; ($BWRAP --dev-bind / / --unshare-pid --sync-fd 7 sh -c '(sleep 0.3; echo inside >&3) 7>&- "
                 "& exit 0' 7>&1 "
                 ">/dev/null | cat; echo gone) 2>&1")
              .out == "inside\ngone\n");
    const Result locked = script(
        ": >lock; $BWRAP --bind / / --lock-file $PWD/lock sh -c 'echo held; cat' <<X &\nX\n"
        "wait; $BWRAP --bind / / --lock-file /no/such/file true; echo $?");
    CHECK(locked.out == "held\n1\n");
    CHECK(locked.err.find("/no/such/file") != std::string::npos);
}

TEST_CASE("bwrap holds its locks as long as the jail has a process", "[bwrap]") {
    const Workspace workspace;
    const std::string lock = workspace.path() + "/lock";
    const sandbox::os::Fd file(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    // Asked from outside, where the lock of another process is seen.
    const auto is_locked = [&] {
        struct flock wanted = {};
        wanted.l_type = F_WRLCK;
        REQUIRE(::fcntl(file.get(), F_GETLK, &wanted) == 0);
        return wanted.l_type == F_RDLCK;
    };
    const std::string marker = unique_marker();
    const auto jail = [&](const Words& options, const std::string& descriptors = {}) {
        // What the command leaves running is the last process; without a PID namespace the jail is over with the
        // command.
        const bool leaves_one = options.front() == "--unshare-pid";
        const Words shell = {"/bin/sh", "-c", "exec \"$@\" " + descriptors, "sh", bwrap_link(workspace), "--dev-bind",
                             "/",       "/"};
        const std::string last = probe_program() + " sleep 1000 " + marker;
        const Words command = {"sh", "-c", leaves_one ? last + " & echo begun" : "echo begun; exec " + last};
        return Start{.argv = join(join(shell, options), command)};
    };
    const auto check = [&](const Start& start) {
        Process held(start);
        held.wait_for("begun");
        CHECK(becomes_true(is_locked, 2s));
        std::this_thread::sleep_for(300ms);
        CHECK(is_locked());
        for (const pid_t pid : processes_with(marker)) ::kill(pid, SIGKILL);
        CHECK(becomes_true([&] { return !is_locked(); }, 2s));
    };
    CHECK_FALSE(is_locked());
    SECTION("one") {
        check(jail({"--lock-file", lock}));
    }
    SECTION("of a jail that outlives its command") {
        check(jail({"--unshare-pid", "--lock-file", lock}));
    }
    SECTION("the same file twice, and another") {
        const std::string other = lock + "2";
        const sandbox::os::Fd there(::open(other.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        check(jail({"--lock-file", lock, "--lock-file", other, "--lock-file", lock}));
    }
    SECTION("a file that the caller hands down, too") {
        check(jail({"--lock-file", lock}, "7<" + lock));
    }
}

TEST_CASE("bwrap installs the filters that it is given", "[bwrap]") {
    // Allow everything: BPF_RET | BPF_K, SECCOMP_RET_ALLOW; and the same with SECCOMP_RET_ERRNO for uname(2), 63.
    const std::string allow = "printf '\\006\\000\\000\\000\\000\\000\\377\\177' >allow; ";
    const std::string deny =
        "printf '\\040\\000\\000\\000\\000\\000\\000\\000\\025\\000\\000\\001\\077\\000\\000\\000\\006\\000\\000"
        "\\000\\001\\000\\005\\000\\006\\000\\000\\000\\000\\000\\377\\177' >deny; ";
    CHECK(script(allow + "$BWRAP --ro-bind / / --seccomp 7 uname 7<allow").out == "Linux\n");
    const Result denied =
        script(allow + deny + "$BWRAP --ro-bind / / --add-seccomp-fd 7 --add-seccomp-fd 8 uname 7<allow 8<deny");
    CHECK(denied.code == 1);
    CHECK(denied.err.find("Operation not permitted") != std::string::npos);
    CHECK(script("printf 1234567 >odd; $BWRAP --ro-bind / / --seccomp 7 true 7<odd").err ==
          "bwrap: Invalid seccomp data, must be multiple of 8\n");
    CHECK(script("$BWRAP --ro-bind / / --seccomp 77 true").err ==
          "bwrap: Can't read seccomp data: Bad file descriptor\n");
}

TEST_CASE("bwrap 0.11: overlays, argv[0], levels, links that are there already", "[bwrap]") {
    const std::string root =
        "$BWRAP --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 "
        "/lib64 ";
    const std::string trees = "mkdir low high upper work; echo low >low/a; echo low >low/b; echo high >high/b; ";
    CHECK(script(trees + root +
                 "--overlay-src low --overlay-src high --ro-overlay /o sh -c 'cat /o/a /o/b; echo x 2>/dev/null "
                 ">/o/c || echo refused'")
              .out == "low\nhigh\nrefused\n");
    CHECK(script(trees + root +
                 "--overlay-src low --overlay-src high --tmp-overlay /o sh -c 'echo new >/o/a; cat /o/a' "
                 "&& cat low/a; ls high")
              .out == "new\nlow\nb\n");
    const std::string twice = root + "--overlay-src low --overlay upper work /o sh -c 'echo new >>/o/a; cat /o/a'; ";
    CHECK(script(trees + twice + twice + "cat upper/a").out == "low\nnew\nlow\nnew\nnew\nlow\nnew\nnew\n");
    CHECK(script(root + "--argv0 called-so sh -c 'echo $0; tr \"\\0\" \" \" </proc/self/cmdline 2>/dev/null'").out ==
          "called-so\n");
    CHECK(script("$BWRAP --level-prefix --no-such-option true").err == "<3>bwrap: Unknown option --no-such-option\n");
    CHECK(script("$BWRAP --ro-bind / / --chdir / --chdir /usr pwd").err ==
          "bwrap: Only the last --chdir option will take effect\n");
    CHECK(script(root + "--symlink usr/bin /bin readlink /bin").out == "usr/bin\n");
    CHECK(script(root + "--symlink usr/sbin /bin readlink /bin").code == 1);
    CHECK(script("$BWRAP --version").out == "bubblewrap 0.11.0\n");
    CHECK(script("$BWRAP 2>&1 >/dev/null | head -1").out == "usage: bwrap [OPTIONS...] [--] COMMAND [ARGS...]\n");
}

TEST_CASE("bwrap enters namespaces that others made", "[bwrap]") {
    // The first jail's namespaces, by its first process; the second lives in them. What LeakSanitizer makes to look at
    // a process is in the second's PID namespace, finds no parent there, and is waited for without end.
    const Result joined = script(
        "mkfifo wait told; $BWRAP --ro-bind / / --unshare-user --unshare-pid --proc /proc --info-fd 7 sh -c 'echo up; "
        "cat' "
        "<>wait 7>info >told & read up <told; pid=$(sed -n 's/.*child-pid\": \\([0-9]*\\).*/\\1/p' info); "
        "exec 8</proc/$pid/ns/user 9</proc/$pid/ns/pid; "
        "ASAN_OPTIONS=detect_leaks=0 $BWRAP --userns 8 --pidns 9 --ro-bind / / --proc /proc sh -c 'readlink "
        "/proc/self/ns/user /proc/self/ns/pid; "
        "ls -d /proc/1'; readlink /proc/$pid/ns/user /proc/$pid/ns/pid; kill -9 $pid; wait");
    INFO(joined.err);
    std::istringstream lines(joined.out);
    std::string user, pid, first, user_outside, pid_outside;
    lines >> user >> pid >> first >> user_outside >> pid_outside;
    CHECK(user == user_outside);
    CHECK(pid == pid_outside);
    CHECK(first == "/proc/1");
    CHECK(user.starts_with("user:["));
}

TEST_CASE("bwrap: the command sees the terminal on its output as /dev/console", "[bwrap]") {
    const Result seen = script(
        "command -v script >/dev/null || exit 0; script -qec \"$BWRAP --ro-bind / / --dev /dev test -c "
        "/dev/console\" /dev/null </dev/null; echo $?");
    CHECK(seen.out == "0\n");
}
