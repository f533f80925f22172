// `session unmount` against what a killed chroot build really leaves, in mount and PID namespaces of the test's own:
// there the test is root, as an ordinary user too.
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using namespace std::chrono_literals;
using sandbox::os::format;
using sandbox::os::Json;

namespace {

using Words = std::vector<std::string>;

enum class Rights : unsigned char { best, of_user_namespace };

// Mounts and processes that nobody else has, as long as the object lives.
class OwnHost {
  public:
    explicit OwnHost(Rights rights = Rights::best)
        : has_users_(rights == Rights::of_user_namespace || ::geteuid() != 0), first_({.argv = first_words()}) {
        first_.wait_for("up");
        std::istringstream(content_of(format("/proc/{0}/task/{0}/children", first_.pid()))) >> inside_;
        REQUIRE(inside_ > 0);
    }
    [[nodiscard]] const std::string& root() const { return root_; }
    // A program in there.
    [[nodiscard]] Start in(const Words& words) const {
        Words argv{"/usr/bin/nsenter", "--target", std::to_string(inside_), "--mount", "--pid", "--net"};
        if (has_users_) argv.insert(argv.end(), {"--user", "--preserve-credentials"});
        argv.insert(argv.end(), words.begin(), words.end());
        return {.argv = argv};
    }
    [[nodiscard]] Start script(const std::string& text) const {
        return in({"/bin/sh", "-c", "set -e; R=$1; stagebox=$2; " + text, "sh", root_, stagebox_program()});
    }
    void do_in(const std::string& text) const {
        const Result result = run(script(text));
        INFO(text << "\n" << result.err);
        REQUIRE(result.code == 0);
    }
    [[nodiscard]] Start unmount_command(const Words& words) const {
        Words argv{stagebox_program(), "session", "unmount"};
        argv.insert(argv.end(), words.begin(), words.end());
        return in(argv);
    }
    [[nodiscard]] Result unmount(const Words& words) const { return run(unmount_command(words)); }
    [[nodiscard]] std::string mounts() const { return content_of(format("/proc/{}/mountinfo", inside_)); }
    [[nodiscard]] bool has_mount(const std::string& place) const {
        return mounts().find(" " + place + " ") != std::string::npos;
    }
    // At and below the root of the build.
    [[nodiscard]] bool has_mounts() const { return mounts().find(" " + root_) != std::string::npos; }

  private:
    [[nodiscard]] Words first_words() const {
        Words words{"/usr/bin/unshare", "--mount",      "--pid",         "--net",
                    "--fork",           "--mount-proc", "--propagation", "private"};
        if (has_users_) words.insert(words.end(), {"--user", "--map-root-user"});
        words.insert(words.end(), {"/bin/sh", "-c", "echo up; while :; do sleep 1; done"});
        return words;
    }

    Workspace workspace_;
    std::string root_ = workspace_.path() + "/rootfs";
    bool has_users_;
    Process first_;
    pid_t inside_ = 0;
};

// What such scripts do; the last of it is a daemon that a package has started in the chroot.
std::string chroot_build(const std::string& marker) {
    return R"(
mkdir -p $R/usr $R/proc $R/sys $R/dev $R/tmp $R/etc
for name in bin sbin lib lib64; do ln -s usr/$name $R/$name; done
mount --bind /usr $R/usr
mount -t proc proc $R/proc
mount -t sysfs sysfs $R/sys
if ! mount --bind /dev $R/dev 2> /dev/null; then
    # Part of a mount that came with more rights cannot be had.
    mount -t tmpfs -o mode=755 udev $R/dev
    mkdir $R/dev/pts
    touch $R/dev/null
    mount --bind /dev/null $R/dev/null
fi
mount -t devpts devpts $R/dev/pts
mount -t tmpfs tmpfs $R/tmp
mount -t tmpfs tmpfs $R/tmp
echo precious > $R/etc/kept
chroot $R /bin/sh -c 'cd /tmp; mkfifo end; exec setsid sh -c "echo built; exec > /dev/null 2>&1; read word <> end; : )" +
           marker + R"("' < /dev/null &
wait
)";
}

bool lives(const std::string& marker) {
    return !processes_with(marker).empty();
}

// A build that was killed where nothing could clean up.
class Leftovers : public OwnHost {
  public:
    Leftovers() {
        Process build(script(chroot_build(marker_)));
        build.wait_for("built");
    }  // with SIGKILL
    ~Leftovers() { end_daemon(); }
    Leftovers(const Leftovers&) = delete;
    Leftovers& operator=(const Leftovers&) = delete;

    [[nodiscard]] const std::string& marker() const { return marker_; }
    void end_daemon() const {
        for (const pid_t pid : processes_with(marker_)) ::kill(pid, SIGKILL);
    }

  private:
    std::string marker_ = unique_marker();
};

}  // namespace

TEST_CASE("unmount: what a killed chroot build leaves is named, waited for and unmounted", "[unmount][alone]") {
    const Leftovers host;
    REQUIRE(lives(host.marker()));
    const std::string& root = host.root();
    const std::string before = host.mounts();
    REQUIRE(host.has_mount(root + "/dev/pts"));

    // Not on a terminal, and nothing said: a dry run.
    const Result dry = host.unmount({root});
    INFO(dry.out << dry.err);
    CHECK(dry.code == 0);
    CHECK(says(dry, "unmount " + root + "/proc (proc)\n"));
    CHECK(says(dry, "unmount " + root + "/sys (sysfs)\n"));
    CHECK(says(dry, "(sh): cwd " + root + "/tmp"));
    CHECK(says(dry, "a dry run: nothing was changed\n  help: stagebox session unmount --yes " + root));
    CHECK(dry.out.find("/dev/pts (") < dry.out.find(root + "/dev ("));
    const Result named = host.unmount({"--dry-run", "--json", root});
    REQUIRE(named.code == 0);
    const Json plan = Json::parse(named.out);
    CHECK(plan.at("dry_run") == true);
    for (const Json& step : plan.at("steps")) CHECK(step.at("state") == "planned");
    CHECK(host.mounts() == before);

    // The daemon's mounts stay, and it lives.
    const Result busy = host.unmount({"--yes", "--max-mount-wait", "1s", root});
    INFO(busy.out << busy.err);
    CHECK(busy.code == 1);
    CHECK(says(busy, "done: unmount " + root + "/proc (proc)\n"));
    CHECK(says(busy, "busy: unmount " + root + "/tmp (tmpfs)\n  held by process "));
    CHECK(says(busy, "(sh): cwd " + root + "/tmp"));
    CHECK(says(busy, "(sh): exe " + root + "/usr/bin/"));
    CHECK_FALSE(host.has_mount(root + "/proc"));
    CHECK(says(busy, "(sh): fd 1 " + root + "/dev/null, fd 2 "));
    CHECK_FALSE(host.has_mount(root + "/dev/pts"));
    CHECK(host.has_mount(root + "/dev"));
    CHECK(host.has_mount(root + "/tmp"));
    CHECK(lives(host.marker()));

    // It ends while the command waits for it.
    Process waiting(host.unmount_command({"--yes", "--max-mount-wait", "50s", root}));
    waiting.wait_for("waiting: busy: unmount " + root + "/tmp");
    host.end_daemon();
    const Result ended = waiting.finish();
    INFO(ended.out << ended.err);
    CHECK(ended.code == 0);
    CHECK_FALSE(host.has_mounts());
    CHECK(content_of(root + "/etc/kept") == "precious\n");

    const Result again = host.unmount({"--yes", root});
    CHECK(again.code == 0);
    CHECK(says(again, "nothing is mounted at or below " + root));
}

TEST_CASE("unmount: lazily, on demand only, and who holds it goes on", "[unmount][alone]") {
    const Leftovers host;
    const Result result = host.unmount({"--yes", "--lazy", "--json", host.root()});
    INFO(result.out << result.err);
    CHECK(result.code == 0);
    const Json told = Json::parse(result.out);
    for (const Json& step : told.at("steps")) CHECK(step.at("state") == "done");
    CHECK_FALSE(host.has_mounts());
    CHECK(lives(host.marker()));
}

TEST_CASE("unmount: session check names it for the same leftovers", "[unmount][alone]") {
    const Leftovers host;
    const Words check{stagebox_program(), "session", "check", "--store", host.root() + "-store"};
    const Result used = run(host.in(check));
    INFO(used.out << used.err);
    CHECK(says(used, host.root() + " has "));
    CHECK(says(used, "in use by process"));
    host.end_daemon();
    REQUIRE(becomes_true([&] { return !lives(host.marker()); }, 5s));
    const Result left = run(host.in(check));
    INFO(left.out << left.err);
    CHECK(says(left, "help: stagebox session unmount " + host.root() + "\n"));
    CHECK(host.unmount({"--yes", host.root()}).code == 0);
    CHECK_FALSE(says(run(host.in(check)), host.root() + " has "));
}

TEST_CASE("unmount: on a terminal it acts", "[unmount][alone]") {
    const OwnHost host;
    host.do_in("mkdir $R; mount -t tmpfs tmpfs $R");
    const Words typed{
        "/usr/bin/script", "--quiet", "--return", "--command", stagebox_program() + " session unmount " + host.root(),
        "/dev/null"};
    const Result result = run(host.in(typed));
    INFO(result.out << result.err);
    CHECK(result.code == 0);
    CHECK_FALSE(host.has_mounts());
}

TEST_CASE("unmount: the root, the home and the host's own places stay", "[unmount][alone]") {
    const OwnHost host;
    host.do_in(
        "mkdir -p $R/homes/ann; mount -t tmpfs tmpfs $R/homes; mkdir $R/homes/ann; "
        "mount -t tmpfs tmpfs $R/homes/ann");
    const std::string before = host.mounts();
    for (const char* place : {"/", "/dev", "/sys"}) {
        const Result result = host.unmount({"--yes", "--lazy", "--max-mount-wait", "0s", place});
        INFO(place << ": " << result.out << result.err);
        CHECK(result.code == 1);
        CHECK(says(result, "refused: unmount "));
        CHECK(host.mounts() == before);
    }
    const auto as_ann = [&](const std::string& place) {
        return run(host.script("HOME=$R/homes/ann exec $stagebox session unmount --yes " + place));
    };
    const std::string home = host.root() + "/homes/ann";
    const Result above = as_ann("$R");
    INFO(above.out << above.err);
    CHECK(above.code == 1);
    CHECK(says(above, "refused: unmount " + home + " (tmpfs): the home " + home + " is on it"));
    CHECK(says(above, "refused: unmount " + host.root() + "/homes (tmpfs): "));
    CHECK(host.has_mount(home));
    CHECK(as_ann("$R/homes/ann").code == 0);
    CHECK_FALSE(host.has_mount(home));
}

TEST_CASE("unmount: what the caller's own shell is in stays, even lazily", "[unmount][alone]") {
    const OwnHost host;
    host.do_in("mkdir $R; mount -t tmpfs tmpfs $R; mkdir $R/a $R/b; mount -t tmpfs a $R/a; mount -t tmpfs b $R/b");
    const Result result =
        run(host.script("cd $R/a; code=0; $stagebox session unmount --yes --lazy .. || code=$?; exit $code"));
    INFO(result.out << result.err);
    CHECK(result.code == 1);
    CHECK(says(result, "refused: unmount " + host.root() + "/a (tmpfs): a process of this session holds it\n"));
    CHECK(says(result, "(sh): cwd " + host.root() + "/a\n"));
    CHECK(says(result, "done: unmount " + host.root() + "/b (tmpfs)\n"));
    CHECK(host.has_mount(host.root() + "/a"));
    CHECK(host.has_mount(host.root()));
}

TEST_CASE("unmount: the host keeps what a recursive bind has shared with it", "[unmount][alone]") {
    const OwnHost host;
    const std::string setup =
        "mkdir -p $R/host $R/tree/dev; mount -t tmpfs tmpfs $R/host; mkdir $R/host/pts; "
        "mount --make-rshared $R/host; mount -t tmpfs tmpfs $R/host/pts; mount --rbind $R/host $R/tree/dev";
    host.do_in(setup);
    const std::string pts = host.root() + "/host/pts";
    REQUIRE(host.has_mount(pts));
    const Result below = host.unmount({"--yes", "--lazy", host.root() + "/tree/dev/pts"});
    INFO(below.out << below.err);
    CHECK(below.code == 1);
    CHECK(says(below, "help: stagebox session unmount " + host.root() + "/tree/dev\n"));
    CHECK(host.has_mount(pts));
    const Result result = host.unmount({"--yes", host.root() + "/tree"});
    INFO(result.out << result.err);
    CHECK(result.code == 0);
    CHECK(says(result, "done: unshare " + host.root() + "/tree/dev (from " + host.root() + "/host)\n"));
    CHECK_FALSE(host.has_mount(host.root() + "/tree/dev"));
    CHECK(host.has_mount(pts));
    // As it is without that.
    host.do_in("mount --rbind $R/host $R/tree/dev; umount $R/tree/dev/pts");
    CHECK_FALSE(host.has_mount(pts));
}

TEST_CASE("unmount: a mount that another one hides is told of, and nothing goes in its place", "[unmount][alone]") {
    const OwnHost host;
    host.do_in("mkdir -p $R/a/b; mount -t tmpfs inner $R/a/b; mount -t tmpfs outer $R/a");
    const Result hidden = host.unmount({"--yes", host.root() + "/a/b"});
    INFO(hidden.out << hidden.err);
    CHECK(hidden.code == 1);
    CHECK(says(hidden, "failed: unmount " + host.root() + "/a/b (tmpfs): another mount hides it\n"));
    host.do_in("mkdir $R/a/b; mount -t tmpfs other $R/a/b");
    const Result both = host.unmount({"--yes", host.root() + "/a/b"});
    INFO(both.out << both.err);
    CHECK(both.code == 1);
    CHECK(says(both, "done: unmount " + host.root() + "/a/b (tmpfs)\nfailed: "));
    CHECK(host.mounts().find(" inner ") != std::string::npos);
    CHECK(host.mounts().find(" other ") == std::string::npos);
    CHECK(host.unmount({"--yes", host.root()}).code == 0);
    CHECK_FALSE(host.has_mounts());
}

TEST_CASE("unmount: what the kernel locks together is told, and goes lazily in one piece", "[unmount][alone]") {
    const OwnHost host(Rights::of_user_namespace);
    host.do_in("mkdir -p $R/dev; mount --rbind /dev $R/dev");
    REQUIRE(host.has_mount(host.root() + "/dev/pts"));
    const Result locked = host.unmount({"--yes", host.root()});
    INFO(locked.out << locked.err);
    CHECK(locked.code == 1);
    CHECK(says(locked, "the kernel keeps it locked to the mount below it"));
    CHECK(says(locked, "help: stagebox session unmount --lazy " + host.root()));
    CHECK(says(locked, "failed: unmount " + host.root() + "/dev (devtmpfs): "));
    const Result lazy = host.unmount({"--yes", "--lazy", host.root()});
    INFO(lazy.out << lazy.err);
    CHECK(lazy.code == 0);
    CHECK_FALSE(host.has_mounts());
    CHECK(host.has_mount("/dev/pts"));
}

TEST_CASE("unmount: a loop device of the tree goes with it, unless somebody has it open", "[unmount][alone]") {
    if (::geteuid() != 0) {
        SUCCEED("root's test: nobody else can attach a loop device");
        return;
    }
    const OwnHost host;
    const Result made =
        run(host.script("mkdir $R; mount -t tmpfs tmpfs $R; mkdir $R/mnt; truncate -s 8M $R/disk; "
                        "/usr/sbin/mkfs.ext4 -q $R/disk; /usr/sbin/losetup --find --show $R/disk"));
    if (made.code != 0) return unavailable("attaching a loop device: " + made.err);
    const std::string device = made.out.substr(0, made.out.find('\n'));
    const std::string backing = "/sys/block/" + device.substr(5) + "/loop/backing_file";
    host.do_in("mount " + device + " $R/mnt");
    const std::string marker = unique_marker();
    {
        Process holder(host.script("exec 5< " + device + "; echo open; sleep 1000; : " + marker));
        holder.wait_for("open");
        const Result busy = host.unmount({"--yes", "--max-mount-wait", "0s", host.root()});
        INFO(busy.out << busy.err);
        CHECK(busy.code == 1);
        CHECK(says(busy, "done: unmount " + host.root() + "/mnt (ext4)\n"));
        CHECK(says(busy, "busy: detach " + device + " (" + host.root() + "/disk)\n  held by process "));
        CHECK(says(busy, ": fd 5 " + device));
        CHECK(content_of(backing) == host.root() + "/disk\n");
    }
    const Result result = host.unmount({"--yes", host.root()});
    INFO(result.out << result.err);
    CHECK(result.code == 0);
    CHECK(says(result, "done: detach " + device));
    CHECK_FALSE(host.has_mounts());
    CHECK(content_of(backing).empty());
    if (!content_of(backing).empty()) run({.argv = {"/usr/sbin/losetup", "--detach", device}});
}

TEST_CASE("unmount: wrong words change nothing", "[unmount]") {
    const auto unmount = [](Words words) {
        words.insert(words.begin(), {stagebox_program(), "session", "unmount"});
        return run({.argv = words});
    };
    const Result missing = unmount({"/nowhere/at/all"});
    CHECK(missing.code == 2);
    CHECK(says(missing, "error: /nowhere/at/all: No such file or directory"));
    const Result wait = unmount({"--max-mount-wait", "soon", "/tmp"});
    CHECK(wait.code == 2);
    CHECK(says(wait, "--max-mount-wait cannot be 'soon'"));
    CHECK(unmount({"--yes", "--dry-run", "/tmp"}).code == 2);
    CHECK(unmount({}).code == 2);
}
