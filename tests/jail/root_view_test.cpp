// A fakeroot for a jail with one id: what chown, setuid and mknod were answered is what everybody sees afterwards,
// as in a jail with a range of ids, and nothing outside of the jail is touched.
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>

#include "sandbox/os/format.hpp"
#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::format;

namespace {

Words viewed() {
    return join({"--ids", "single", "--fakeroot"}, with_programs());
}
Words ranged() {
    return join({"--ids", "range"}, with_programs());
}

Result in_view(const std::string& script) {
    return run(viewed(), {"sh", "-c", script});
}

// What both kinds of jail say to a script; times and inode numbers have to be kept out of it.
void check_same(const std::string& script) {
    const Result range = run(ranged(), {"sh", "-c", script});
    const Result single = in_view(script);
    INFO(script);
    CHECK(single.out == range.out);
    CHECK(single.err == range.err);
    CHECK(single.code == range.code);
    CHECK_FALSE(range.out.empty());
}

}  // namespace

TEST_CASE("owners are what chown set, as in a jail with a range", "[fakeroot]") {
    check_same("cd /tmp; touch a; chown 12:34 a; stat -c '%u:%g %a %F' a; sh -c 'stat -c %u a'; ls -ln a | cut -c1-20");
    check_same("cd /tmp; touch a; chown 12 a; chown :34 a; stat -c %u:%g a; chown 0:0 a; stat -c %u:%g a");
    check_same("cd /tmp; mkdir d; touch d/x; chown -R 7:8 d; find d -printf '%p %U:%G\\n'");
    check_same("cd /tmp; ln -s nowhere l; chown -h 5:6 l; stat -c %u:%g l; mv l m; stat -c %u:%g m");
    check_same("cd /tmp; mkfifo f; chown 5:6 f; stat -c '%u:%g %F' f; touch g; ln g h; chown 3:4 g; stat -c %u:%g h");
    check_same(
        "cd /tmp; touch a; chown 9:9 a; cp -p a b; mv a c; stat -c '%n %u:%g' b c; tar -cf t b; tar -xf t b; "
        "stat -c %u:%g b; tar -tvf t --numeric-owner | cut -d' ' -f1,2");
    check_same(
        "cd /tmp; touch a; exec 5<>a; chown 1:2 /proc/self/fd/5; stat -L -c %u:%g /proc/self/fd/5 /dev/fd/5; "
        "rm a; stat -L -c %u:%g /dev/fd/5");
    check_same(
        "cd /tmp; mkdir d; cd d; touch a; chown 1:2 ../d a; stat -c %u:%g . ../d/a ../d/../d /tmp/./d//a; "
        "ln -s /tmp/d/a ../l; stat -L -c %u:%g ../l; stat -c %u:%g ../l");
    check_same("cd /tmp; touch a; chmod 6755 a; chown 1 a; stat -c %a a; chmod 4711 a; stat -c '%a %u' a");
    check_same("chown 1 /tmp/missing; stat /tmp/missing; chown 1 /usr/bin/env; stat -c %u:%g /usr/bin/env; echo end");
    check_same("stat -c '%n %u:%g %F' / /tmp /proc /dev/null /usr /proc/self/fd/0 /etc; echo end");
}

TEST_CASE("ids are what setuid set, also after exec", "[fakeroot]") {
    check_same("id; setpriv --reuid=7 --regid=8 --groups 9,10 id; setpriv --reuid=7 --clear-groups sh -c 'id; id -u'");
    check_same(
        "setpriv --reuid=7 --regid=8 --clear-groups perl -e 'print \"$< $> $( $)\\n\"; "
        "$> = 0; print \"$>\\n\"; use POSIX; print POSIX::setgid(0) ? 1 : 0, \" $!\\n\"'");
    check_same(
        "setpriv --ruid=7 id; setpriv --euid=7 id; perl -e '$> = 5; print \"$< $>\\n\"; $> = 0; print \"$>\\n\"'");
    check_same("cd /tmp; touch a; setpriv --reuid=7 --regid=7 --clear-groups chown 8 a; stat -c %u a");
    check_same(
        "cd /tmp; chmod 1777 .; umask 027; setpriv --reuid=7 --regid=8 --clear-groups sh -c 'touch f; mkdir d; "
        "ln -s x l; mkfifo p; touch d/g; chgrp 8 f && echo own; chgrp 9 f || echo other'; "
        "find . -mindepth 1 -printf '%p %U:%G %m %y\\n' | sort");
    check_same(
        "cd /tmp; mkdir s; chown 5:6 s; chmod 2775 s; touch s/f; mkdir s/d; touch s/d/g; "
        "find s -printf '%p %U:%G %m\\n' | sort");
}

TEST_CASE("a device is a file that is shown as one", "[fakeroot]") {
    const Result seen = in_view(
        "cd /tmp; mknod b b 8 1; mknod -m 620 c c 5 1; chown 0:6 b; stat -c '%F %t:%T %a %u:%g %s' b c; mv b d; "
        "test -b d && echo block; tar -cf t d; tar -tvf t --numeric-owner | cut -c1-20; "
        "setpriv --reuid=7 --clear-groups mknod e c 1 3 || echo refused");
    CHECK(seen.out.find(
              "block special file 8:1 644 0:6 0\ncharacter special file 5:1 620 0:0 0\nblock\nbrw-r--r-- 0/6") == 0);
    CHECK(seen.out.ends_with("refused\n"));
    CHECK(run(join({"--ids", "single"}, with_programs()), {"sh", "-c", "mknod /tmp/b b 8 1 || echo no"}).out == "no\n");
}

TEST_CASE("without a view one id is all there is", "[fakeroot]") {
    const Result seen = run(join({"--ids", "single"}, with_programs()), {"sh", "-c", "touch /tmp/a; chown 1 /tmp/a"});
    CHECK(seen.code != 0);
    const Result both = run(join({"--ids", "range", "--fakeroot"}, with_programs()), {"true"});
    CHECK(both.code != 0);
    CHECK(both.err.find("one id") != std::string::npos);
}

TEST_CASE("the attribute of the view is not listed, and what is written there by hand is no more than an owner",
          "[fakeroot]") {
    const Result seen = in_view(
        "cd /tmp; touch a; chown 1:2 a; perl -e 'my $f = \"a\"; my $m = \"\\0\" x 99; my $n = syscall(194, $f, $m, "
        "99); "
        "print \"listed $n\\n\"; my $k = \"user.stagebox.owner\"; my $v = \"nonsense\"; syscall(188, $f, $k, $v, 8, "
        "0); "
        "print +(stat \"a\")[4], \"\\n\"'");
#if defined(__x86_64__)
    CHECK(seen.out == "listed 0\n0\n");
#endif
}

TEST_CASE("no way leads out of the jail", "[fakeroot]") {
    const Workspace workspace;
    const std::string canary = workspace.path() + "/canary";
    std::ofstream(canary) << "canary";
    struct stat before = {};
    REQUIRE(::stat(canary.c_str(), &before) == 0);
    const std::string program = stagebox_program();
    struct stat program_before = {};
    REQUIRE(::stat(program.c_str(), &program_before) == 0);
    // The host's files shown read-only, other processes' magic links, links to outside, a directory above the root.
    const Result seen = run(
        join(viewed(), {"--ro-bind", canary, "/canary"}),
        {"sh", "-c",
         format(
             "cd /tmp; ln -s {0} out; ln -s /proc/1/exe exe; ln -s ../../../../../../..{0} up; "
             "for f in /canary out up exe /proc/1/exe /proc/1/root/canary /proc/1/cwd/canary /proc/self/root/canary; "
             "do chown 1:1 $f; chown -h 1:1 $f; stat -L $f >/dev/null; done; for n in 0 1 2 3 4 5 6 7 8 9; do "
             "chown 1:1 /proc/1/fd/$n; done; exit 7",
             canary)});
    CHECK(seen.code == 7);
    struct stat after = {};
    REQUIRE(::stat(canary.c_str(), &after) == 0);
    CHECK(after.st_ctim.tv_sec == before.st_ctim.tv_sec);
    CHECK(after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
    CHECK(::getxattr(canary.c_str(), "user.stagebox.owner", nullptr, 0) < 0);
    REQUIRE(::stat(program.c_str(), &after) == 0);
    CHECK(after.st_ctim.tv_nsec == program_before.st_ctim.tv_nsec);
    CHECK(::getxattr(program.c_str(), "user.stagebox.owner", nullptr, 0) < 0);
}

TEST_CASE("a payload that asks without end, dies while it asks, or lies about who it is hurts itself", "[fakeroot]") {
    // Killed in the middle of what they ask, 40 times; paths that are no memory; a FIFO that nobody opens.
    const Result seen = in_view(
        "cd /tmp; mkfifo f; stat -c %F f; i=0; while [ $i -lt 40 ]; do (while :; do stat f; chown 1 f; done) "
        ">/dev/null 2>&1 & p=$!; sleep 0.01; kill -9 $p; wait $p 2>/dev/null; i=$((i+1)); done; "
        "perl -e 'syscall(4, 1, 1); print \"$!\\n\"; syscall(92, 0, 1, 1); print \"$!\\n\"'; "
        "(ulimit -S -x 100100000; id -u); sh -c 'stat -c %u f'");
#if defined(__x86_64__)
    CHECK(seen.out == "fifo\nBad address\nBad address\n0\n1\n");
#endif
    CHECK(seen.code == 0);
}

TEST_CASE("a path that is swapped for a link to a host file never marks it", "[fakeroot][race]") {
    const Workspace workspace;
    const std::string canary = workspace.path() + "/canary";
    std::ofstream(canary) << "canary";
    const Result seen =
        run(join(viewed(), {"--ro-bind", canary, "/canary"}),
            {"sh", "-c",
             "cd /tmp; echo x > real; (while :; do ln -sf real swapped; ln -sf /canary swapped; done) & p=$!; "
             "i=0; while [ $i -lt 500 ]; do chown 3:3 swapped 2>/dev/null; i=$((i+1)); done; "
             "kill $p; stat -c %u real; stat -c %u /canary"});
    CHECK(seen.out.ends_with(format("\n{}\n", ::geteuid() == 0 ? 65534 : 0)));
    CHECK(::getxattr(canary.c_str(), "user.stagebox.owner", nullptr, 0) < 0);
}

TEST_CASE("what a profile denies stays denied under a view", "[fakeroot]") {
    const Workspace workspace;
    workspace.write("no-chown.json",
                    R"({"defaultAction": "SCMP_ACT_ALLOW",
 "syscalls": [{"names": ["fchownat", "chown"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]})");
    workspace.write("no-chown.toml", R"toml(
name = "no-chown"
description = "No owner can be changed."
seccomp = ["no-chown.json"]
capabilities = ["chown"]
)toml");
    const Words options = join({"--profile", workspace.project() + "/no-chown.toml"}, viewed());
    const Result seen = run(options, {"sh", "-c", "touch /tmp/a; chown 1 /tmp/a; stat -c %u /tmp/a"});
    CHECK(seen.out == "0\n");
    CHECK(seen.err.find("Permission denied") != std::string::npos);
    CHECK(in_view("touch /tmp/a; chown 1 /tmp/a; stat -c %u /tmp/a").out == "1\n");
}
