// What a payload sees: its own processes, its own mounts, its three descriptors, and nothing of the host that
// it was not shown.
#include <fcntl.h>
#include <unistd.h>

#include <set>
#include <sstream>

#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;

namespace {

std::set<std::string> words_of(const std::string& text) {
    std::istringstream stream(text);
    std::set<std::string> words;
    for (std::string word; stream >> word;) words.insert(word);
    return words;
}

struct MountLine {
    std::string target;
    std::string options;
    std::string type;
};

// proc_pid_mountinfo(5)
std::vector<MountLine> mounts_in(const std::string& mountinfo) {
    std::vector<MountLine> mounts;
    std::istringstream lines(mountinfo);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        MountLine mount;
        std::string word;
        for (int i = 0; i < 4; ++i) fields >> word;
        fields >> mount.target >> mount.options;
        while (fields >> word && word != "-") {
        }
        fields >> mount.type;
        mounts.push_back(mount);
    }
    return mounts;
}

bool is_in(const std::string& path, const std::string& top) {
    return path == top || path.starts_with(top + "/");
}

}  // namespace

TEST_CASE("a payload sees its own processes only", "[view]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Result seen = probe(ids, {"pids"});
    REQUIRE(seen.code == 0);
    CHECK(seen.out == "1=stagebox-init\n2=probe\n");
}

TEST_CASE("a payload has the descriptors 0, 1 and 2, whatever its caller had open", "[view][threat][descriptors]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    Start start = start_of(join({"--ids", ids}, bare()), {"/probe", "fds"});
    start.in_child = [] {
        for (int fd = 3; fd < 203; ++fd) {
            ::dup2(0, fd);
            ::fcntl(fd, F_SETFD, 0);
        }
    };
    const Result seen = tests::support::run(start);
    REQUIRE(seen.code == 0);
    std::istringstream lines(seen.out);
    std::set<std::string> numbers;
    for (std::string line; std::getline(lines, line);) numbers.insert(line.substr(0, line.find('=')));
    CHECK(numbers == std::set<std::string>{"0", "1", "2"});
}

TEST_CASE("a payload's mounts are those that were asked for", "[view]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Result seen = probe(ids, {"mounts"});
    REQUIRE(seen.code == 0);
    INFO(seen.out);
    const std::vector<MountLine> mounts = mounts_in(seen.out);
    for (const MountLine& mount : mounts) {
        INFO(mount.target);
        const bool is_declared = mount.target == "/" || mount.target == "/probe" || is_in(mount.target, "/proc") ||
                                 is_in(mount.target, "/dev");
        CHECK(is_declared);
        CHECK(mount.options.find("nosuid") != std::string::npos);
        if (mount.target == "/") CHECK(mount.type == "tmpfs");
        if (mount.target == "/proc/sys") CHECK(mount.options.starts_with("ro"));
        if (mount.target == "/probe") CHECK(mount.options.starts_with("ro"));
    }
    CHECK(words_of(probe(ids, {"list", "/"}).out) == std::set<std::string>{"dev", "probe", "proc"});
}

TEST_CASE("nothing of the host is seen but what was declared", "[view][threat][paths]") {
    const Workspace workspace;
    const Canary canary(workspace.path() + "/canary");
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    // Without options: the host's /usr, and the few files of /etc that programs need.
    const auto sh = [&](const std::string& script) { return tests::jail::run({"--ids", ids}, {"sh", "-c", script}); };
    CHECK(sh("test ! -e /home && test ! -e /etc/shadow && test ! -e /etc/gshadow && test ! -e /boot").code == 0);
    CHECK(sh("test -z \"$(ls -A /root)\" && test -z \"$(ls -A /run)\" && test -z \"$(ls -A /tmp)\"").code == 0);
    CHECK(sh("test ! -e " + canary.path()).code == 0);
    CHECK(sh("test ! -e /dev/kvm && test ! -e /dev/mem && test ! -b /dev/vda && test ! -e /dev/loop0").code == 0);
    // The twin: what is declared is there, and is what a jail has.
    CHECK(sh("test -x /usr/bin/env && test -c /dev/null && echo gone > /dev/null").code == 0);
    const Result passwd = sh("cat /etc/passwd");
    CHECK(passwd.out.find("root:x:0:0:") == 0);
    CHECK(passwd.out.find("/home/") == std::string::npos);
    const Result written = sh("echo mine > /usr/bin/mine");
    CHECK(written.code != 0);
    CHECK(written.err.find("Read-only file system") != std::string::npos);
    CHECK(sh("echo mine > /tmp/mine && cat /tmp/mine").out == "mine\n");
    CHECK(canary.is_unchanged());
}

TEST_CASE("what is bound is writable only where that was asked for", "[view][threat][paths]") {
    const Workspace workspace;
    const Canary canary(workspace.path() + "/canary");
    const Result read_only =
        tests::jail::run(join(bare(), {"--ro-bind", canary.path(), "/shown"}), {"/probe", "write", "/shown/file", "x"});
    CHECK(value_of(read_only.out, "open") == "EROFS");
    CHECK(
        tests::jail::run(join(bare(), {"--ro-bind", canary.path(), "/shown"}), {"/probe", "read", "/shown/file"}).out ==
        "canary\n");
    CHECK(canary.is_unchanged());

    const Canary other(workspace.path() + "/other");
    const Result writable =
        tests::jail::run(join(bare(), {"--bind", other.path(), "/shown"}), {"/probe", "write", "/shown/file", "x"});
    CHECK(value_of(writable.out, "write") == "ok");
    CHECK_FALSE(other.is_unchanged());
}

TEST_CASE("the environment has nothing of the caller's", "[view][threat][helpers]") {
    Start start = start_of(bare(), {"/probe", "env"});
    start.env = {{"SECRET_TOKEN", "s3cret"}, {"LD_PRELOAD", ""}, {"GCONV_PATH", "/nowhere"}};
    const Result seen = tests::support::run(start);
    REQUIRE(seen.code == 0);
    CHECK(seen.out == "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n");

    start = start_of(join({"--setenv", "SHOWN", "yes", "--unsetenv", "PATH"}, bare()), {"/probe", "env"});
    CHECK(tests::support::run(start).out == "SHOWN=yes\n");
    start = start_of(join({"--keepenv"}, bare()), {"/probe", "env"});
    start.env = {{"SECRET_TOKEN", "s3cret"}};
    CHECK(tests::support::run(start).out.find("SECRET_TOKEN=s3cret\n") != std::string::npos);
}

TEST_CASE("host name and working directory are the jail's", "[view]") {
    CHECK(probe("single", {"hostname"}).out == "hostname=stagebox\n");
    CHECK(tests::jail::run(join({"--hostname", "other"}, bare()), {"/probe", "hostname"}).out == "hostname=other\n");
    CHECK(probe("single", {"cwd"}).out == "cwd=/\n");
    CHECK(tests::jail::run(join({"--dir", "/work", "--chdir", "/work"}, bare()), {"/probe", "cwd"}).out ==
          "cwd=/work\n");
}
