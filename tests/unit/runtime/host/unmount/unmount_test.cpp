// The plan of `session unmount` as a value: order, refusals, peers, loop devices; and who holds what.
#include <unistd.h>

#include <algorithm>
#include <map>

#include "runtime/host/check/leftovers.hpp"
#include "runtime/host/unmount/unmount.hpp"
#include "sandbox/os/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/machine.hpp"

using namespace runtime::host;
using sandbox::os::parse_mounts;

namespace {

const std::string host_lines =
    "20 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n"
    "21 20 0:6 / /dev rw shared:2 - devtmpfs udev rw\n"
    "22 21 0:24 / /dev/pts rw shared:3 - devpts devpts rw\n"
    "23 21 0:25 / /dev/shm rw shared:4 - tmpfs tmpfs rw\n"
    "24 20 0:20 / /proc rw shared:5 - proc proc rw\n"
    "25 20 0:21 / /sys rw shared:6 - sysfs sysfs rw\n"
    "26 20 0:22 / /run rw shared:7 - tmpfs tmpfs rw\n"
    "27 26 0:23 / /run/user/1000 rw shared:8 - tmpfs tmpfs rw\n"
    "28 27 0:50 / /run/user/1000/doc rw shared:9 - fuse.portal portal rw\n"
    "29 20 254:1 / /home rw shared:10 - ext4 /dev/vdb rw\n"
    "30 20 254:2 / /srv/data rw shared:11 - ext4 /dev/vdc rw\n";

// systemd (1) > user manager (50) > shell (60) > stagebox (100).
const std::vector<Process> processes = {
    {.pid = 1, .uid = 0, .start = 1, .comm = "systemd", .session = 1, .cgroup = "/init.scope"},
    {.pid = 50, .parent = 1, .uid = 1000, .comm = "systemd", .session = 50, .cgroup = "/user.slice/user-1000.slice/a"},
    {.pid = 60, .parent = 50, .uid = 1000, .comm = "bash", .session = 60, .cgroup = "/user.slice/user-1000.slice/b"},
    {.pid = 70, .parent = 50, .uid = 1000, .comm = "editor", .session = 70, .cgroup = "/user.slice/user-1000.slice/c"},
    {.pid = 80, .parent = 1, .uid = 0, .comm = "apt-daemon", .session = 80, .cgroup = "/user.slice/user-1000.slice/b"},
    {.pid = 90, .parent = 1, .uid = 0, .comm = "backup", .session = 90, .cgroup = "/system.slice/backup.service"},
    {.pid = 100,
     .parent = 60,
     .uid = 1000,
     .comm = "stagebox",
     .session = 60,
     .cgroup = "/user.slice/user-1000.slice/b"}};

UnmountPlan plan_for(const std::string& directory, const std::string& lines, const std::vector<Hold>& holds = {},
                     const std::vector<LoopDevice>& loops = {}) {
    const auto mounts = parse_mounts(host_lines + lines);
    const Caller caller{.pid = 100, .homes = {"/home/ann"}, .boot_mounts = {"/", "/srv/data"}};
    return plan_unmount(directory, {mounts, loops, processes}, {.holds = holds, .unseen = 0}, caller);
}

// One line a step: "ACT SUBJECT", and why it stays.
std::vector<std::string> steps(const UnmountPlan& plan) {
    constexpr const char* acts[] = {"unshare", "unmount", "detach"};
    std::vector<std::string> lines;
    for (const Step& step : plan.steps) {
        CHECK((step.state == StepState::planned || step.state == StepState::refused));
        CHECK((step.state == StepState::refused) == !step.problem.what.empty());
        lines.push_back(std::string(acts[static_cast<int>(step.kind)]) + " " + subject_of(step) +
                        (step.problem.what.empty() ? "" : ": " + step.problem.what));
    }
    return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("what is on top goes first, by the tree of mounts and not by the length of paths", "[session][unmount]") {
    CHECK(steps(plan_for("/srv/a",
                         "40 20 0:60 / /srv/a/proc rw - proc proc rw\n"
                         "41 20 0:61 / /srv/a/dev rw - tmpfs tmpfs rw\n"
                         "42 41 0:62 / /srv/a/dev/pts rw - devpts devpts rw\n"
                         "43 20 0:63 / /srv/another rw - tmpfs tmpfs rw\n")) ==
          Lines{"unmount /srv/a/dev/pts", "unmount /srv/a/dev", "unmount /srv/a/proc"});
    // The tmpfs over the whole directory hides the older proc: its path leads into the tmpfs.
    CHECK(steps(plan_for("/srv/a",
                         "40 20 0:60 / /srv/a/proc rw - proc proc rw\n"
                         "41 20 0:61 / /srv/a rw - tmpfs tmpfs rw\n"
                         "42 41 0:62 / /srv/a/x rw - tmpfs tmpfs rw\n")) ==
          Lines{"unmount /srv/a/x", "unmount /srv/a", "unmount /srv/a/proc"});
    const UnmountPlan stacked = plan_for("/srv/a",
                                         "40 20 0:60 / /srv/a rw - tmpfs one rw\n"
                                         "41 40 0:61 / /srv/a rw - tmpfs two rw\n");
    REQUIRE(stacked.steps.size() == 2);
    CHECK(stacked.steps[0].mount.source == "two");
    CHECK(stacked.steps[1].mount.source == "one");
    CHECK(plan_for("/srv/nothing", "").steps.empty());
}

TEST_CASE("what the session needs is refused unless it is named exactly, and the root always", "[session][unmount]") {
    CHECK(steps(plan_for("/dev", "")) == Lines{"unmount /dev/shm: it belongs to the host's /dev",
                                               "unmount /dev/pts: it belongs to the host's /dev",
                                               "unmount /dev: /dev/shm stays mounted"});
    CHECK(steps(plan_for("/dev/pts", "")) == Lines{"unmount /dev/pts"});
    CHECK(steps(plan_for("/proc", "")) == Lines{"unmount /proc"});
    CHECK(steps(plan_for("/run", "")) == Lines{"unmount /run/user/1000/doc: /run is the session's",
                                               "unmount /run/user/1000: /run is the session's",
                                               "unmount /run: /run/user/1000 stays mounted"});
    CHECK(steps(plan_for("/run/user/1000", "")) == Lines{"unmount /run/user/1000/doc: /run/user/1000 is the session's",
                                                         "unmount /run/user/1000: /run/user/1000/doc stays mounted"});
    CHECK(steps(plan_for("/home", "")) == Lines{"unmount /home"});
    const std::string home = "40 29 254:9 / /home/ann rw - ext4 /dev/vdd rw\n";
    CHECK(steps(plan_for("/home", home)) ==
          Lines{"unmount /home/ann: the home /home/ann is on it", "unmount /home: /home/ann stays mounted"});
    CHECK(steps(plan_for("/home/ann", home)) == Lines{"unmount /home/ann"});
    CHECK(steps(plan_for("/srv", "")) == Lines{"unmount /srv/data: /etc/fstab mounts it when the host starts"});
    CHECK(steps(plan_for("/srv/data", "")) == Lines{"unmount /srv/data"});

    const UnmountPlan all = plan_for("/", "40 20 0:60 / /srv/a/proc rw - proc proc rw\n");
    CHECK(all.steps.size() == 12);
    for (const Step& step : all.steps) CHECK(step.state == StepState::refused);
    CHECK(all.steps.back().problem.what == "it is the root");
}

TEST_CASE("a tree in the home, in /run or in /dev/shm is its builder's", "[session][unmount]") {
    CHECK(steps(plan_for("/home/ann/a", "40 29 0:60 / /home/ann/a/proc rw - proc proc rw\n")) ==
          Lines{"unmount /home/ann/a/proc"});
    CHECK(steps(plan_for("/home/ann", "40 29 0:60 / /home/ann/a/proc rw - proc proc rw\n")) ==
          Lines{"unmount /home/ann/a/proc: /home/ann is the session's"});
    CHECK(steps(plan_for("/run/build", "40 26 0:60 / /run/build/proc rw - proc proc rw\n")) ==
          Lines{"unmount /run/build/proc"});
    CHECK(steps(plan_for("/dev/shm/a", "40 23 0:60 / /dev/shm/a/proc rw - proc proc rw\n")) ==
          Lines{"unmount /dev/shm/a/proc"});
    CHECK(steps(plan_for("/sys/fs", "40 25 0:60 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")) ==
          Lines{"unmount /sys/fs/cgroup: it belongs to the host's /sys"});
}

TEST_CASE("what a process of the session holds stays, with what it is mounted on", "[session][unmount]") {
    const std::string lines =
        "40 20 0:60 / /srv/a rw - tmpfs tmpfs rw\n"
        "41 40 0:61 / /srv/a/dev rw - tmpfs tmpfs rw\n"
        "42 40 0:62 / /srv/a/proc rw - proc proc rw\n";
    const auto held_by = [&](pid_t pid, const std::string& root, const std::string& directory = "/srv/a") {
        return steps(plan_for(directory, lines, {{pid, "x", "cwd", "/srv/a/dev", 41, "", root}}));
    };
    const Lines free{"unmount /srv/a/proc", "unmount /srv/a/dev", "unmount /srv/a"};
    const Lines held{"unmount /srv/a/proc", "unmount /srv/a/dev: a process of this session holds it",
                     "unmount /srv/a: /srv/a/dev stays mounted"};
    CHECK(held_by(60, "/") == held);  // the shell it was typed in
    CHECK(held_by(70, "/") == held);  // another window of the same user
    CHECK(held_by(80, "/") == held);
    CHECK(held_by(60, "/srv/a") == held);
    CHECK(held_by(80, "/srv/a") == free);  // a daemon that the chroot has left: waited for, not refused
    CHECK(held_by(90, "/") == free);
    CHECK(held_by(60, "/", "/srv/a/dev") == Lines{"unmount /srv/a/dev"});

    const UnmountPlan plan = plan_for("/srv/a", lines, {{90, "backup", "fd 3", "/srv/a/dev/x", 41, "", "/"}});
    CHECK(to_text(plan.steps[1]) == "unmount /srv/a/dev (tmpfs)\n  held by process 90 (backup): fd 3 /srv/a/dev/x");
    CHECK(to_json(plan).at("steps").at(1).at("holders").dump() ==
          R"([{"pid":90,"command":"backup","way":"fd 3","path":"/srv/a/dev/x"}])");
}

TEST_CASE("a bind of the host's that shares with it is made private first", "[session][unmount]") {
    const std::string lines =
        "40 20 0:6 / /srv/a/dev rw shared:2 - devtmpfs udev rw\n"
        "41 40 0:24 / /srv/a/dev/pts rw shared:3 - devpts devpts rw\n";
    const UnmountPlan plan = plan_for("/srv/a", lines);
    CHECK(steps(plan) == Lines{"unshare /srv/a/dev", "unmount /srv/a/dev/pts", "unmount /srv/a/dev"});
    CHECK(plan.steps[0].peer == "/dev");
    CHECK(to_text(plan.steps[0]) == "unshare /srv/a/dev (from /dev)");
    // Named below the bind, which is left as it is then: the host's own would go. The other way round, what goes is the
    // copy.
    const UnmountPlan below = plan_for("/srv/a/dev/pts", lines);
    CHECK(steps(below) ==
          Lines{"unmount /srv/a/dev/pts: /dev/pts would be unmounted too, since /srv/a/dev shares its mounts"});
    CHECK(below.steps[0].problem.remedy == unmount_command("/srv/a/dev"));
    CHECK(steps(plan_for("/dev/pts", lines)) == Lines{"unmount /dev/pts"});
    const std::string part =
        "40 20 0:6 /sub /srv/b rw shared:2 - devtmpfs udev rw\n"
        "41 21 0:70 / /dev/sub/x rw - tmpfs tmpfs rw\n"
        "42 40 0:70 / /srv/b/x rw - tmpfs tmpfs rw\n"
        "43 40 0:70 / /srv/b/y rw - tmpfs tmpfs rw\n";
    CHECK(steps(plan_for("/srv/b/x", part)).at(0).find("/dev/sub/x would be unmounted too") != std::string::npos);
    CHECK(steps(plan_for("/srv/b/y", part)) == Lines{"unmount /srv/b/y"});
    // A slave gives nothing back, and peers inside of the tree go with it anyway.
    CHECK(steps(plan_for("/srv/a",
                         "40 20 0:6 / /srv/a/dev rw master:2 - devtmpfs udev rw\n"
                         "41 40 0:24 / /srv/a/dev/pts rw master:3 - devpts devpts rw\n"
                         "42 20 0:60 / /srv/a/x rw shared:77 - tmpfs tmpfs rw\n"
                         "43 20 0:60 / /srv/a/y rw shared:77 - tmpfs tmpfs rw\n"
                         "44 42 0:61 / /srv/a/x/z rw - tmpfs tmpfs rw\n")) ==
          Lines{"unmount /srv/a/y", "unmount /srv/a/x/z", "unmount /srv/a/x", "unmount /srv/a/dev/pts",
                "unmount /srv/a/dev"});
}

TEST_CASE("a loop device goes between what is mounted from it and what its file is on", "[session][unmount]") {
    const std::string lines =
        "40 20 0:60 / /srv/a rw - tmpfs tmpfs rw\n"
        "41 40 7:1 / /srv/a/mnt rw - ext4 /dev/loop1p1 rw\n";
    const std::vector<LoopDevice> loops{{"loop0", "/srv/disk", false},
                                        {"loop1", "/srv/a/disk", true},
                                        {"loop2", "/srv/a/other", false},
                                        {"loop10", "/var/x", false}};
    CHECK(steps(plan_for("/srv/a", lines, {}, loops)) ==
          Lines{"detach /dev/loop2", "unmount /srv/a/mnt", "detach /dev/loop1", "unmount /srv/a"});
    // In use elsewhere too: it stays, and so does the file system that its file is on.
    const std::string elsewhere = "42 20 7:1 / /mnt rw - ext4 /dev/loop1p2 rw\n";
    CHECK(steps(plan_for("/srv/a", lines + elsewhere, {}, loops)) ==
          Lines{"detach /dev/loop2", "unmount /srv/a/mnt", "detach /dev/loop1: it is mounted on /mnt too",
                "unmount /srv/a: the file of /dev/loop1, which stays, is on it"});
    const Hold open{70, "editor", "fd 5", "/dev/loop2", 0, "loop2", "/"};
    CHECK(steps(plan_for("/srv/a", lines, {open}, loops))[0] ==
          "detach /dev/loop2: a process of this session holds it");
    CHECK(steps(plan_for("/srv/a/mnt", lines, {{60, "bash", "cwd", "/srv/a/mnt", 41, "", "/"}}, loops)) ==
          Lines{"unmount /srv/a/mnt", "detach /dev/loop1"});
}

TEST_CASE("session check names the command for what it finds", "[session][unmount]") {
    const auto mounts = parse_mounts(host_lines +
                                     "40 20 0:60 / /srv/a\\040b/proc rw - proc proc rw\n"
                                     "41 20 0:61 / /srv/a\\040b/sys rw - sysfs sysfs rw\n");
    const Findings findings = find_leftovers(sandbox::os::HostFiles(), mounts, {}, {});
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].problem.remedy == unmount_command("/srv/a b"));
    CHECK(findings[0].problem.remedy.ends_with("stagebox session unmount '/srv/a b'"));
    CHECK(steps(plan_for("/srv/a b", mounts.text.substr(host_lines.size()))).size() == 2);
}

TEST_CASE("the caller's home and what is mounted at boot are read from passwd and fstab", "[session][unmount]") {
    const tests::Machine machine;
    const std::string home = machine.root() + "/home";
    machine.folder("home");
    const std::string uid = std::to_string(::getuid());
    machine.file("etc/passwd", "# a comment\n\nbroken\nodd:x:99999999999:0::/odd:/bin/sh\n\xff:x:" + uid +
                                   ":0::" + home + ":/bin/sh\nlast:x:" + uid + ":0::/does/not/exist:/bin/sh");
    machine.file(
        "etc/fstab",
        "# <file system> <mount point>\nUUID=1 / ext4 errors=remount-ro 0 1\n\n  /dev/sdb1\t/srv/with\\040blank "
        "ext4\nbroken\nLABEL=x /last btrfs subvol=@last 0 0");
    const Caller caller = read_caller(machine.files());
    CHECK(caller.pid == ::getpid());
    CHECK(std::ranges::find(caller.homes, sandbox::os::real_path(home)) != caller.homes.end());
    CHECK(std::ranges::find(caller.homes, "/odd") == caller.homes.end());
    CHECK(std::ranges::find(caller.boot_mounts, "/") != caller.boot_mounts.end());
    CHECK(std::ranges::find(caller.boot_mounts, "/srv/with blank") != caller.boot_mounts.end());
    CHECK(std::ranges::find(caller.boot_mounts, "/last") != caller.boot_mounts.end());
    CHECK(read_caller(tests::Machine().files()).boot_mounts.empty());
}

TEST_CASE("a tree of 10,000 mounts is planned, in order and at once", "[session][unmount]") {
    std::string lines;
    for (int i = 0; i < 10000; ++i) {
        const int parent = i % 100 == 0 ? 20 : 1000 + i - 1;
        lines += std::to_string(1000 + i) + " " + std::to_string(parent) + " 0:60 / /srv/a/" + std::to_string(i / 100) +
                 std::string(static_cast<std::size_t>(i % 100), 'x') + " rw - tmpfs tmpfs rw\n";
    }
    const UnmountPlan plan = plan_for("/srv/a", lines);
    REQUIRE(plan.steps.size() == 10000);
    std::map<int, std::size_t> places;
    for (std::size_t at = 0; at < plan.steps.size(); ++at) places[plan.steps[at].mount.id] = at;
    for (const Step& step : plan.steps) {
        if (step.mount.parent == 20) continue;
        CAPTURE(step.mount.target);
        REQUIRE(places.at(step.mount.id) < places.at(step.mount.parent));
    }
}
