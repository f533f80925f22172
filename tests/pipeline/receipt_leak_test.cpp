// Deliberate leaks: while a stage runs, the test does outside of its jail what a faulty build might, for each kind of
// thing that the receipt looks at, in a way that the facts say whose it is; and the receipt tells, with the stage. What
// needs a systemd, a logind or modules of the kernel's is in tests/vm/cases/leaks, beside all of these.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/loop.h>
#include <mqueue.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "sandbox/os/json.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/own_cgroup.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using sandbox::os::Fd;
using sandbox::os::Json;
namespace fs = std::filesystem;

namespace {

std::string slow_stage(const std::string& marker) {
    return "[stage.a]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"echo waiting; sleep 3; : " + marker + "\"]\n";
}

// A build with one stage that runs, and what a leak needs to know of it.
class Building {
  public:
    explicit Building(const std::map<std::string, std::string>& env = {}) : marker_(unique_marker()) {
        workspace_.pipeline(slow_stage(marker_));
        Start start = workspace_.command({"build"});
        start.env.insert(env.begin(), env.end());
        build_.emplace(start);
        build_->wait_for("a | waiting");
        const std::vector<pid_t> inside = processes_with(marker_);
        // The last is the payload; before it are the jail's init and the program itself.
        payload_ = *std::max_element(inside.begin(), inside.end());
        struct stat about = {};
        ::stat(("/proc/" + std::to_string(payload_)).c_str(), &about);
        owner_ = about.st_uid;
    }
    [[nodiscard]] const Workspace& workspace() const { return workspace_; }
    [[nodiscard]] pid_t payload() const { return payload_; }
    [[nodiscard]] uid_t owner() const { return owner_; }
    // The running stage's own directory in the store.
    [[nodiscard]] std::string staging() const {
        return workspace_.store() + "/v2/staging/" + workspace_.names_in("staging").at(0);
    }
    // The build's end.
    Result finish() { return build_->finish(); }

  private:
    Workspace workspace_;
    std::string marker_;
    std::optional<Process> build_;
    pid_t payload_ = 0;
    uid_t owner_ = 0;
};

// The difference of this kind whose subject contains `text`; null: the receipt has none.
Json difference(const Workspace& workspace, const std::string& kind, const std::string& text) {
    const Json receipt = Json::parse(receipt_of(workspace, {"--json"}).out);
    for (const Json& one : receipt.at("differences")) {
        if (one.at("kind") == kind && one.at("subject").get<std::string>().find(text) != std::string::npos) return one;
    }
    return {};
}

// Other builds of root, or of the same user, have the same range; then nobody is blamed.
bool others_ran(const Json& one) {
    return one.at("reason").get<std::string>().find("others that ran meanwhile") != std::string::npos;
}

void check_ours(const Building& building, const std::string& kind, const std::string& text, const std::string& reason) {
    const Json one = difference(building.workspace(), kind, text);
    INFO(kind << " " << text << ": " << one.dump());
    REQUIRE(one.is_object());
    if (others_ran(one)) return;
    CHECK(one.at("whose") == "ours");
    CHECK(one.at("stage") == "a");
    CHECK(one.at("reason").get<std::string>().find(reason) != std::string::npos);
}

// Runs `act` as the root of the jail's user namespace, everything else being the host's; its answer is the exit code.
int as_jail_root(const Building& building, const std::function<int()>& act) {
    const std::string path = "/proc/" + std::to_string(building.payload()) + "/ns/user";
    const pid_t child = ::fork();
    if (child == 0) {
        const Fd user(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (::setns(user.get(), CLONE_NEWUSER) != 0 || ::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
            ::_exit(99);
        ::_exit(act());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

bool is_root() {
    if (::geteuid() == 0) return true;
    SUCCEED("root's test: nobody else can make this leak");
    return false;
}

bool write_to(const std::string& path, const std::string& text) {
    const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

int ip(const std::vector<std::string>& words) {
    std::vector<std::string> argv{"/usr/sbin/ip"};
    argv.insert(argv.end(), words.begin(), words.end());
    return tests::support::run({.argv = argv}).code;
}

// Undone at the end, whatever happens before.
class Undo {
  public:
    explicit Undo(std::function<void()> act) : act_(std::move(act)) {}
    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;
    ~Undo() { act_(); }

  private:
    std::function<void()> act_;
};

}  // namespace

TEST_CASE("leak: a process of a jail's namespaces that outlives it", "[receipt][leak][alone]") {
    Building building;
    const std::string note = building.workspace().path() + "/leaked";
    Fd file(::open(note.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    const int made = as_jail_root(building, [&] {
        const pid_t leaked = ::fork();  // its parent ends at once: it hangs where orphans do
        if (leaked == 0) {
            ::setsid();
            for (const int fd : {0, 1, 2}) ::close(fd);
            ::pause();
            return 0;
        }
        return ::write(file.get(), &leaked, sizeof leaked) == sizeof leaked ? 0 : 1;
    });
    REQUIRE(made == 0);
    pid_t leaked = 0;
    REQUIRE(::pread(file.get(), &leaked, sizeof leaked, 0) == sizeof leaked);
    const Undo undo([leaked] { ::kill(leaked, SIGKILL); });
    const Result ended = building.finish();
    INFO(ended.err);
    CHECK(ended.code == 4);
    CHECK(says(ended, "TOUCHED BY THIS RUN"));
    CHECK(says(ended, "; stage a"));
    check_ours(building, "process", "process " + std::to_string(leaked) + " ",
               "of the run's ");  // jails, or range where its namespace is not for a user to see
}

TEST_CASE("leak: a process in a cgroup of the run's", "[receipt][leak][alone]") {
    if (!is_root()) return;
    const OwnCgroup own;
    REQUIRE_FALSE(own.path().empty());
    Building building({{"STAGEBOX_CGROUP", own.path()}});
    REQUIRE(own.branches().size() == 1);
    // In the jail's own, it would end with the jail.
    const std::string beside = own.branches().front() + "/leak";
    fs::create_directory(beside);
    const pid_t leaked = ::fork();
    if (leaked == 0) {
        for (;;) ::pause();
    }
    const Undo undo([&] {
        ::kill(leaked, SIGKILL);
        ::waitpid(leaked, nullptr, 0);
        CHECK(becomes_true([&] { return ::rmdir(beside.c_str()) == 0; }, std::chrono::seconds(5)));
        ::rmdir(fs::path(beside).parent_path().c_str());
    });
    REQUIRE(write_to(beside + "/cgroup.procs", std::to_string(leaked)));
    const Result ended = building.finish();
    INFO(ended.err);
    CHECK(ended.code == 4);
    check_ours(building, "process", "process " + std::to_string(leaked) + " ", "it is in a cgroup of the run");
}

TEST_CASE("leak: files and shared memory of a jail's id", "[receipt][leak][alone]") {
    Building building;
    const std::string name = unique_marker();
    int id = -1;
    const std::string note = building.workspace().path() + "/leaked";
    const Fd file(::open(note.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    const int made = as_jail_root(building, [&] {
        const int shared = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
        if (shared < 0 || ::write(file.get(), &shared, sizeof shared) != sizeof shared) return 1;
        if (::creat(("/tmp/" + name).c_str(), 0600) < 0) return 2;
        return ::shm_open(("/" + name).c_str(), O_CREAT | O_RDWR, 0600) < 0 ? 3 : 0;
    });
    REQUIRE(made == 0);
    REQUIRE(::pread(file.get(), &id, sizeof id, 0) == sizeof id);
    const Undo undo([&] {
        as_jail_root(building, [&] {
            ::shmctl(id, IPC_RMID, nullptr);
            ::unlink(("/tmp/" + name).c_str());
            ::shm_unlink(("/" + name).c_str());
            return 0;
        });
        // The jail may be gone by now; then root removes them.
        ::shmctl(id, IPC_RMID, nullptr);
        ::unlink(("/tmp/" + name).c_str());
        ::shm_unlink(("/" + name).c_str());
    });
    const Result ended = building.finish();
    INFO(ended.err);
    const std::string owner = "its owner " + std::to_string(building.owner()) + " is an id of this run's jails";
    check_ours(building, "file", "/tmp/" + name, owner);
    check_ours(building, "ipc", "shm " + std::to_string(id), owner);
    check_ours(building, "ipc", "/dev/shm/" + name, owner);
    if (!others_ran(difference(building.workspace(), "file", name))) CHECK(ended.code == 4);
}

TEST_CASE("leak: a mount and a loop device of the store", "[receipt][leak][alone]") {
    if (!is_root()) return;
    Building building;
    const std::string place = building.workspace().path() + "/elsewhere";
    fs::create_directories(place);
    REQUIRE(::mount(building.staging().c_str(), place.c_str(), nullptr, MS_BIND, nullptr) == 0);
    const std::string disk = building.staging() + "/disk";
    std::ofstream(disk) << std::string(65536, ' ');
    const Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    const int number = control ? ::ioctl(control.get(), LOOP_CTL_GET_FREE) : -1;
    const std::string device = "/dev/loop" + std::to_string(number);
    const Fd loop(::open(device.c_str(), O_RDWR | O_CLOEXEC));
    const Fd file(::open(disk.c_str(), O_RDWR | O_CLOEXEC));
    const bool attached = loop && ::ioctl(loop.get(), LOOP_SET_FD, file.get()) == 0;
    if (!attached) unavailable("attaching a loop device");
    const Undo undo([&] {
        ::umount2(place.c_str(), MNT_DETACH);
        if (attached) ::ioctl(loop.get(), LOOP_CLR_FD);
    });
    const Result ended = building.finish();
    INFO(ended.err);
    CHECK(ended.code == 4);
    check_ours(building, "mount", place, "it shows a part of the store");
    if (attached) check_ours(building, "loop", device, "lies under the store");
}

TEST_CASE("leak: a network device of a jail's id, its address and its route", "[receipt][leak][alone]") {
    if (!is_root()) return;
    Building building;
    const std::string name = "sb" + unique_marker().substr(0, 10);
    const Fd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    REQUIRE(::ioctl(tun.get(), TUNSETIFF, &request) == 0);
    REQUIRE(::ioctl(tun.get(), TUNSETOWNER, building.owner()) == 0);
    REQUIRE(ip({"address", "add", "192.0.2.7/32", "dev", name}) == 0);
    REQUIRE(ip({"link", "set", name, "up"}) == 0);
    REQUIRE(ip({"route", "add", "198.51.100.0/24", "dev", name}) == 0);
    const Result ended = building.finish();
    INFO(ended.err);
    const std::string owner = "its owner " + std::to_string(building.owner());
    check_ours(building, "link", name, owner);
    check_ours(building, "address", "192.0.2.7/32 dev " + name, owner);
    check_ours(building, "route", "198.51.100.0/24 dev " + name, owner);
}

TEST_CASE("leak: settings that name the store, and some that name nobody", "[receipt][leak][alone]") {
    if (!is_root()) return;
    const std::string binfmt = "/proc/sys/fs/binfmt_misc";
    const bool was_mounted = fs::exists(binfmt + "/status");
    const bool is_mounted = was_mounted || ::mount("binfmt_misc", binfmt.c_str(), "binfmt_misc", 0, nullptr) == 0;
    if (!is_mounted) unavailable("binfmt_misc");
    const std::string pattern = content_of("/proc/sys/kernel/core_pattern");
    const std::string domain = content_of("/proc/sys/kernel/domainname");
    const std::string name = unique_marker();
    Building building;
    const Undo undo([&] {
        write_to("/proc/sys/kernel/core_pattern", pattern);
        write_to("/proc/sys/kernel/domainname", domain);
        if (is_mounted) write_to(binfmt + "/" + name, "-1");
        if (is_mounted && !was_mounted) ::umount2(binfmt.c_str(), MNT_DETACH);
    });
    REQUIRE(write_to("/proc/sys/kernel/domainname", name));
    // The kernel takes 127 characters, and the store's path may be longer.
    const std::string catcher = "|" + building.staging() + "/c";
    const bool fits = catcher.size() < 120;
    if (fits) REQUIRE(write_to("/proc/sys/kernel/core_pattern", catcher));
    const std::string entry = ":" + name + ":E::" + name.substr(0, 8) + "::" + building.staging() + "/qemu:";
    if (is_mounted) REQUIRE(write_to(binfmt + "/register", entry));
    const Result ended = building.finish();
    INFO(ended.err);
    const Json unknown = difference(building.workspace(), "sysctl", "kernel.domainname");
    REQUIRE(unknown.is_object());
    CHECK(unknown.at("whose") == "unknown");
    if (fits) check_ours(building, "sysctl", "kernel.core_pattern", "its value names the store");
    if (is_mounted) check_ours(building, "binfmt", name, "lies under the store");
    CHECK((ended.code == 4) == (fits || is_mounted));
}

TEST_CASE("leak: a message queue of a jail's id, where queues can be seen", "[receipt][leak][alone]") {
    if (!is_root()) return;
    const Workspace place;
    const std::string queues = place.path() + "/queues";
    fs::create_directories(queues);
    REQUIRE(::mount("mqueue", queues.c_str(), "mqueue", 0, nullptr) == 0);
    const Undo unmount([&] { ::umount2(queues.c_str(), MNT_DETACH); });
    Building building;
    const std::string name = unique_marker();
    REQUIRE(as_jail_root(building, [&] {
                return ::mq_open(("/" + name).c_str(), O_CREAT | O_RDWR, 0600, nullptr) < 0 ? 1 : 0;
            }) == 0);
    const Undo undo([&] { ::mq_unlink(("/" + name).c_str()); });
    const Result ended = building.finish();
    INFO(ended.err);
    check_ours(building, "ipc", queues + "/" + name, "is an id of this run's jails");
}
