// The program under the name bwrap beside Debian's bubblewrap: for each of these command lines the same standard output
// and the same exit code, and the same words where bubblewrap refuses.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/jail/bwrap.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;

namespace {

// One command line. Words before `--`; `sh` runs in a root that has the host's programs.
struct Line {
    Words options;
    Words command;
};

const Words usr = {"--ro-bind", "/usr",      "/usr",    "--symlink", "usr/bin",   "/bin",      "--symlink", "usr/sbin",
                   "/sbin",     "--symlink", "usr/lib", "/lib",      "--symlink", "usr/lib64", "/lib64"};

Line in_usr(const Words& options, const std::string& script) {
    return {join(usr, options), {"sh", "-c", script}};
}

Line on_host(const Words& options, const std::string& script) {
    return {join({"--ro-bind", "/", "/"}, options), {"sh", "-c", script}};
}

// What both programs run; {} stands for a directory of the test's own, made anew for each.
std::vector<Line> lines_that_work() {
    return {
        in_usr({}, "ls -A /; id -u; id -g; pwd"),
        in_usr({"--proc", "/proc", "--dev", "/dev"}, "cd /dev && stat -c '%N %F %a' *; echo text > /dev/null"),
        in_usr({"--unshare-all", "--proc", "/proc", "--dev", "/dev"}, "echo $$; ls -d /proc/[0-9]*; ls /dev/pts"),
        in_usr({"--unshare-pid", "--as-pid-1", "--proc", "/proc"}, "echo $$"),
        in_usr({"--unshare-pid"}, "exit 7"),
        in_usr({}, "kill -TERM $$"),
        in_usr({"--unshare-pid"}, "kill -KILL $$"),
        in_usr({"--unshare-user", "--uid", "1234", "--gid", "567"}, "id -u; id -g; cat /proc/self/uid_map || true"),
        in_usr({"--unshare-user", "--uid", "1234", "--gid", "567", "--dev", "/dev", "--proc", "/proc"},
               "id -u; id -g; tr -s ' ' < /proc/self/uid_map; stat -c %a /dev/pts/ptmx"),
        in_usr({"--unshare-user", "--uid", "0", "--gid", "0", "--proc", "/proc"}, "id -u; grep Cap /proc/self/status"),
        in_usr({"--unshare-user", "--cap-drop", "ALL", "--proc", "/proc"}, "grep Cap /proc/self/status"),
        in_usr({"--unshare-user", "--cap-drop", "ALL", "--cap-add", "CAP_NET_ADMIN", "--proc", "/proc"},
               "grep Cap /proc/self/status"),
        in_usr({"--unshare-user", "--uid", "12", "--cap-add", "CAP_CHOWN", "--proc", "/proc", "--dev", "/dev"},
               "grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status"),
        in_usr({"--unshare-user", "--unshare-uts", "--hostname", "another"}, "uname -n"),
        in_usr({"--unshare-uts"}, "uname -n"),
        in_usr({"--proc", "/proc"}, "readlink /proc/self/ns/net /proc/self/ns/ipc /proc/self/ns/uts /proc/self/ns/pid"),
        in_usr({"--unshare-net", "--proc", "/proc"}, "grep -c : /proc/net/dev"),
        in_usr({"--unshare-all", "--share-net", "--proc", "/proc"}, "grep : /proc/net/dev | cut -d: -f1 | sort"),
        in_usr({"--setenv", "A", "1", "--setenv", "PATH", "/bin", "--unsetenv", "HOME"}, "env | grep -v ^_="),
        in_usr({"--clearenv", "--setenv", "B", "2"}, "env | grep -v ^_="),
        in_usr({"--chdir", "/usr/share"}, "pwd; echo $PWD"),
        in_usr({"--setenv", "HOME", "/usr/lib"}, "pwd; echo $PWD"),
        in_usr({"--tmpfs", "/t", "--dir", "/t/a/b", "--perms", "0700", "--dir", "/t/c/d", "--perms", "0711", "--tmpfs",
                "/t/e", "--symlink", "a/b", "/t/link"},
               "cd /t; find . -exec stat -c '%n %a %F' {} + | sort; readlink link"),
        in_usr({"--size", "1048576", "--tmpfs", "/t"}, "stat -f -c '%b %S' /t; ! head -c 2M /dev/zero > /t/f; echo $?"),
        in_usr({"--tmpfs", "/t", "--tmpfs", "/t", "--tmpfs", "/t"}, "ls -A /t; touch /t/x; ls /t"),
        in_usr({"--dir", "/a", "--ro-bind", "/usr/share", "/a", "--tmpfs", "/a", "--dir", "/a/b"}, "ls /a"),
        in_usr({"--tmpfs", "/t", "--dir", "/t/d", "--remount-ro", "/t"}, "touch /t/x; echo $?; ls /t"),
        in_usr({"--tmpfs", "/t", "--tmpfs", "/t/in", "--remount-ro", "/t"}, "touch /t/in/x && ls /t/in"),
        in_usr({"--remount-ro", "/"}, "touch /x 2>/dev/null; echo $?"),
        in_usr({"--dir", "/d", "--chmod", "0751", "/d", "--chmod", "1777", "/"}, "stat -c '%n %a' /d /"),
        in_usr({"--bind-try", "/no/such/place", "/x", "--ro-bind-try", "/usr/share", "/y"}, "ls -d /x /y 2>&1"),
        in_usr({"--bind", "{}", "/work", "--chdir", "/work"}, "echo text > file; stat -c '%a %s' file; cat file"),
        in_usr({"--bind", "{}", "/work", "--ro-bind", "{}", "/work/again"},
               "echo x > /work/again/f; echo $?; ls /work"),
        in_usr({"--dev-bind", "/dev", "/dev"}, "head -c 4 /dev/zero | wc -c; echo lost > /dev/null"),
        in_usr({"--bind", "/dev", "/dev"}, "(: < /dev/zero) 2>/dev/null; echo $?"),
        in_usr({"--dev-bind", "/dev/zero", "/z"}, "head -c 4 /z | wc -c"),
        in_usr({"--mqueue", "/mq"}, "stat -f -c %T /mq; ls -A /mq"),
        on_host({"--tmpfs", "/tmp", "--dir", "/tmp/x"}, "ls /tmp; ls / | sort"),
        on_host({"--dev", "/dev", "--proc", "/proc", "--unshare-pid"}, "ls /dev | sort; ls -d /proc/[0-9]*"),
        on_host({"--new-session"}, "test $(ps -o sid= -p $$) = $$; echo $?"),
        on_host({"--die-with-parent", "--unshare-user-try", "--unshare-cgroup-try", "--unshare-ipc"}, "umask; echo ok"),
        on_host({"--unshare-user", "--disable-userns"}, "unshare -U true 2>/dev/null; echo $?"),
        on_host({"--unshare-user"}, "unshare -U echo nested"),
        {join(usr, {"--", "/usr/bin/env"}), {"--version"}},
        {usr, {"/no/such/program"}},
        {usr, {"no-such-program"}},
        {usr, {"/usr"}},
        {join(usr, {"--chdir", "/nowhere"}), {"true"}},
        {{"--tmpfs", "/x"}, {"true"}},
        {{"--ro-bind", "/no/such/place", "/x"}, {"true"}},
        {join(usr, {"--tmpfs", "/usr/no-room-here"}), {"true"}},
        {join(usr, {"--dir", "/usr/no-room-here"}), {"true"}},
        {{"--no-such-option"}, {"true"}},
        {{"--unshare-user", "--uid", "many"}, {"true"}},
        {{"--ro-bind", "/", "/", "--perms", "8", "--tmpfs", "/tmp"}, {"true"}},
        {{"--ro-bind", "/", "/", "--perms", "700", "--proc", "/proc"}, {"true"}},
        {{"--size", "0", "--tmpfs", "/tmp"}, {"true"}},
        {{"--ro-bind", "/", "/", "--cap-add", "CAP_OF_GOOD_HOPE"}, {"true"}},
        {{"--ro-bind", "/", "/", "--hostname", "x"}, {"true"}},
        {{"--ro-bind", "/", "/", "--disable-userns", "--userns-block-fd", "0"}, {"true"}},
        {{"--ro-bind", "/", "/", "--as-pid-1"}, {"true"}},
        {{"--ro-bind", "/", "/", "--exec-label", "any"}, {"true"}},
        {{"--ro-bind", "/", "/", "--bind"}, {}},
    };
}

Result run_as(const std::string& program, const Line& line, const std::string& directory) {
    Words words = {program};
    for (std::string word : join(line.options, line.command)) {
        // The directory, not find's own {}.
        if (word == "{}") word = directory;
        words.push_back(word);
    }
    return tests::support::run({.argv = words});
}

}  // namespace

TEST_CASE("bwrap's command lines do and say the same under both programs", "[bwrap]") {
    if (!has_bubblewrap()) return;
    const Workspace workspace;
    const std::string own = bwrap_link(workspace);
    int number = 0;
    for (const Line& line : lines_that_work()) {
        std::string text;
        for (const std::string& word : join(line.options, line.command)) text += " " + word;
        INFO("bwrap" << text);
        const std::string first = workspace.path() + "/a" + std::to_string(number);
        const std::string second = workspace.path() + "/b" + std::to_string(number++);
        REQUIRE(::mkdir(first.c_str(), 0755) == 0);
        REQUIRE(::mkdir(second.c_str(), 0755) == 0);
        const Result theirs = run_as("/usr/bin/bwrap", line, first);
        const Result ours = run_as(own, line, second);
        CHECK(ours.out == theirs.out);
        CHECK(ours.err == theirs.err);
        CHECK(ours.code == theirs.code);
    }
    CHECK(number >= 40);
}
