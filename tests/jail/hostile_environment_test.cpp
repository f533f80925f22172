// Machines that are not like the developer's: containers whose filters refuse system calls, a /proc that is partly
// hidden, no user namespaces, few ids. What can work there does, as safely as elsewhere; what cannot says which of
// these it is and what mends it.
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/refuse.hpp"

using namespace tests::jail;
using namespace tests::support;
namespace fs = std::filesystem;

namespace {

Result run_refused(const std::vector<Refusal>& refusals, const Words& options, const Words& command) {
    Start start = start_of(options, command);
    start.in_child = refusing(refusals);
    return tests::support::run(start);
}

bool says(const Result& result, std::string_view text) {
    return result.err.find(text) != std::string::npos;
}

// A root on the host that everybody may write to.
class SharedRoot {
  public:
    SharedRoot() : canary_(workspace_.path() + "/canary") {
        fs::create_directories(path() + "/shared/directory");
        fs::copy_file(probe_program(), path() + "/probe");
        for (const char* name : {"proc", "sys", "dev", "run", "tmp"}) fs::create_directory(path() + "/" + name);
        for (const char* name : {"", "/shared", "/shared/directory"}) fs::permissions(path() + name, fs::perms::all);
    }
    [[nodiscard]] std::string path() const { return workspace_.path() + "/root"; }
    [[nodiscard]] std::string workspace() const { return workspace_.path(); }
    [[nodiscard]] const Canary& canary() const { return canary_; }
    void link(const std::string& name, const std::string& target) const {
        fs::remove_all(path() + "/" + name);
        fs::create_symlink(target, path() + "/" + name);
    }

  private:
    Workspace workspace_;
    Canary canary_;
};

// Runs a shell as root of a user and mount namespace of its own, where that is this user's only id.
Words in_small_namespace(const std::string& script) {
    return {"/usr/bin/unshare", "--user", "--map-root-user",          "--mount",
            "/bin/sh",          "-c",     script + " && exec \"$@\"", "sh"};
}

Result run_in(const Words& surroundings, const Words& options, const Words& command) {
    return tests::support::run({.argv = join(surroundings, start_of(options, command).argv)});
}

const std::vector<Refusal> without_openat2_enosys = {{SYS_openat2, ENOSYS}};
const std::vector<Refusal> without_openat2_eperm = {{SYS_openat2, EPERM}};

}  // namespace

TEST_CASE("without openat2, a mount's target still lands in the root or is refused", "[hostile]") {
    const auto& refusals = GENERATE(without_openat2_enosys, without_openat2_eperm);
    const std::string ids = GENERATE(from_range(ids_below_filter()));
    const SharedRoot root;
    const Words base = {"--ids", ids, "--root", root.path()};
    const auto mount = [&](const std::string& target) {
        return run_refused(refusals, join(base, {"--tmpfs", target}), {"/probe", "write", target + "/file", "x"});
    };
    SECTION("a real directory, also below one that may only be passed through") {
        fs::permissions(root.path() + "/shared", fs::perms(0711));
        const Result mounted = mount("/shared/directory");
        INFO(mounted.err);
        CHECK(value_of(mounted.out, "write") == "ok");
        CHECK_FALSE(fs::exists(root.path() + "/shared/directory/file"));
    }
    SECTION("one that is made") {
        CHECK(value_of(mount("/shared/new/deep").out, "write") == "ok");
    }
    SECTION("links") {
        const std::string text = GENERATE("CANARY", "../canary", "../../../../../../../../../..CANARY", "dangling",
                                          "/proc/self/root", "/proc/self/rootCANARY", "/proc/1/root", "/proc/self/cwd");
        std::string target = text;
        if (const std::size_t at = text.find("CANARY"); at != std::string::npos) {
            target.replace(at, 6, root.canary().path());
        }
        INFO("a -> " << target);
        root.link("a", target);
        for (const char* place : {"/a", "/a/directory", "/a/new"}) {
            const Result refused = mount(place);
            INFO(place << ": " << refused.err);
            CHECK(refused.code == 125);
            CHECK(refused.out.empty());
        }
        root.link("proc", target);
        CHECK(mount("/shared/directory").code == 125);
    }
    CHECK(root.canary().is_unchanged());
}

TEST_CASE("a directory exchanged for a link while jails are built leads out at no time", "[hostile]") {
    const std::string way = GENERATE("openat2", "without openat2");
    INFO(way);
    const SharedRoot root;
    const std::string x = root.path() + "/shared/x";
    const std::string y = root.path() + "/shared/y";
    fs::create_directory(x);
    fs::permissions(x, fs::perms::all);
    fs::create_symlink("../../../../../../../../../.." + root.canary().path(), y);
    const pid_t exchanger = ::fork();
    REQUIRE(exchanger >= 0);
    if (exchanger == 0) {
        for (;;) ::syscall(SYS_renameat2, AT_FDCWD, x.c_str(), AT_FDCWD, y.c_str(), RENAME_EXCHANGE);
    }
    const std::vector<Refusal> refusals =
        way == "openat2" ? std::vector<Refusal>{} : std::vector<Refusal>{{SYS_openat2, ENOSYS}};
    int built = 0;
    int refused = 0;
    for (int i = 0; i < 500; ++i) {
        // Both are in the way: what is a link for one is a directory for the other.
        const Result result = run_refused(
            refusals, {"--ids", "single", "--root", root.path(), "--dir", "/shared/x/made", "--tmpfs", "/shared/x/t"},
            {"/probe", "echo", "ran"});
        if (result.code == 0) {
            ++built;
        } else {
            ++refused;
            INFO(result.err);
            CHECK(result.code == 125);
            CHECK(result.out.empty());
        }
    }
    ::kill(exchanger, SIGKILL);
    siginfo_t end = {};
    ::waitid(P_PID, static_cast<id_t>(exchanger), &end, WEXITED);
    INFO("built " << built << ", refused " << refused);
    CHECK(built > 0);
    CHECK(refused > 0);
    CHECK(root.canary().is_unchanged());
    CHECK(mounts_with(root.path()).empty());
}

TEST_CASE("without clone3 a jail is built all the same", "[hostile]") {
    const int error = GENERATE(ENOSYS, EPERM);
    const std::string ids = GENERATE(from_range(ids_below_filter()));
    INFO(ids << " " << error);
    const Words options = join({"--ids", ids}, bare());
    const Result result = run_refused({{SYS_clone3, error}}, options, {"/probe", "pids"});
    INFO(result.err);
    CHECK(result.code == 0);
    CHECK(value_of(result.out, "2") == "probe");
    // What the caller ignores or handles is not the payload's concern, as with the newer call.
    Start start = start_of(options, {"/probe", "kill-self", "15"});
    start.in_child = [refuse = refusing({{SYS_clone3, error}})] {
        ::signal(SIGTERM, SIG_IGN);
        refuse();
    };
    const Result ended = tests::support::run(start);
    INFO(ended.out << ended.err);
    CHECK(ended.code == 128 + SIGTERM);
}

TEST_CASE("what the caller does with its signals is no concern of the program", "[hostile]") {
    const std::string ids = GENERATE(from_range(ids_below_filter()));
    Start start = start_of(join({"--ids", ids}, bare()), {"/probe", "kill-self", "15"});
    SECTION("it ignores SIGCHLD") {
        start.in_child = [] { ::signal(SIGCHLD, SIG_IGN); };
    }
    SECTION("it blocks all") {
        start.in_child = [] {
            sigset_t all;
            ::sigfillset(&all);
            ::sigprocmask(SIG_SETMASK, &all, nullptr);
        };
    }
    const Result ended = tests::support::run(start);
    INFO(ended.out << ended.err);
    CHECK(ended.code == 128 + SIGTERM);
}

TEST_CASE("a standard stream that is closed is /dev/null in the jail, and nothing of the program's own", "[hostile]") {
    const std::string ids = GENERATE(from_range(ids_below_filter()));
    const std::vector<int> closed = GENERATE(values<std::vector<int>>({{0}, {1}, {2}, {0, 2}, {0, 1, 2}}));
    const Workspace workspace;
    // The shell's own streams, seen by another process; a redirection without a pipe may be made in the shell itself.
    const std::string look = "stat -L -c '%t:%T' /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 | cat > /w/streams";
    Start start = start_of(join({"--ids", ids, "--bind", workspace.path(), "/w"}, with_programs()), {"sh", "-c", look});
    start.in_child = [&closed] {
        for (const int stream : closed) ::close(stream);
    };
    fs::permissions(workspace.path(), fs::perms::all);
    const Result ended = tests::support::run(start);
    INFO(ended.out << ended.err);
    CHECK(ended.code == 0);
    std::string expected;
    for (int stream = 0; stream < 3; ++stream) {
        // /dev/null's numbers; a pipe of the test's has none.
        expected += std::ranges::find(closed, stream) == closed.end() ? "0:0\n" : "1:3\n";
    }
    std::ifstream seen(workspace.path() + "/streams");
    CHECK(std::string(std::istreambuf_iterator<char>(seen), {}) == expected);
}

TEST_CASE("without setns, a jail's init makes the network of its own", "[hostile]") {
    const int error = GENERATE(ENOSYS, EPERM);
    const std::string ids = GENERATE(from_range(ids_below_filter()));
    INFO(ids << " " << error);
    const Listener listener;
    const Result result = run_refused({{SYS_setns, error}}, join({"--ids", ids}, bare()),
                                      {"/probe", "connect-inet", "127.0.0.1", listener.port()});
    INFO(result.err);
    CHECK(result.code == 0);
    CHECK(value_of(result.out, "connect") == "ECONNREFUSED");
}

TEST_CASE("a filter that refuses a call of the mounts is named, with the call", "[hostile]") {
    struct Call {
        long number;
        const char* name;
    };
    const Call call = GENERATE(Call{SYS_fsopen, "fsopen"}, Call{SYS_fsconfig, "fsconfig"}, Call{SYS_fsmount, "fsmount"},
                               Call{SYS_open_tree, "open_tree"}, Call{SYS_move_mount, "move_mount"},
                               Call{SYS_mount_setattr, "mount_setattr"});
    const int error = GENERATE(EPERM, ENOSYS);
    const std::string ids = GENERATE(from_range(ids_below_filter()));
    INFO(call.name << " " << error << " " << ids);
    const Result refused = run_refused({{call.number, error}}, join({"--ids", ids}, bare()), {"/probe", "echo", "ran"});
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK(says(refused, call.name));
    CHECK(says(refused, "seccomp"));
    CHECK(says(refused, "--security-opt seccomp=unconfined"));
}

TEST_CASE("a filter that forbids user namespaces, as Docker's does, is named", "[hostile]") {
    const std::string ids = GENERATE(from_range(ids_below_filter()));
    const Result refused = run_refused({{SYS_clone3, ENOSYS}, {SYS_clone, EPERM, CLONE_NEWUSER}},
                                       join({"--ids", ids}, bare()), {"/probe", "echo", "ran"});
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK(says(refused, "clone a process into new namespaces: Operation not permitted"));
    CHECK(says(refused, "seccomp"));
}

TEST_CASE("user namespaces that are used up or switched off are named", "[hostile]") {
    const std::string limit = GENERATE("0", "1");
    // The limit of a namespace counts those made below it, by everybody.
    const std::string holder = limit == "1" ? " && (unshare --user sleep 3 > /dev/null 2>&1 & sleep 0.5)" : "";
    const Words surroundings = in_small_namespace("echo " + limit + " > /proc/sys/user/max_user_namespaces" + holder);
    const Result refused = run_in(surroundings, bare(), {"/probe", "echo", "ran"});
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK(says(refused, "No space left on device"));
    CHECK(
        says(refused, limit == "0" ? "switched off (user.max_user_namespaces = 0)" : "(user.max_user_namespaces = 1)"));
    CHECK(says(refused, "sudo sysctl -w user.max_user_namespaces=15000"));
}

TEST_CASE("as root of a namespace with one id, a jail of that id is built", "[hostile]") {
    const Result built = run_in(in_small_namespace("true"), bare(), {"/probe", "ids"});
    INFO(built.err);
    CHECK(built.code == 0);
    CHECK(value_of(built.out, "euid") == "0");
    const Result refused =
        run_in(in_small_namespace("true"), join({"--ids", "range"}, bare()), {"/probe", "echo", "ran"});
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(says(refused, "have no free block of 65536"));
    CHECK(says(refused, "--ids single"));
}

TEST_CASE("a /proc that is partly hidden gives no fresh one: named, and the container's own where asked for",
          "[hostile]") {
    const Words surroundings = in_small_namespace("mount -t tmpfs none /proc/tty");
    const Result refused = run_in(surroundings, bare(), {"/probe", "echo", "ran"});
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK(says(refused, "mount proc on /proc: Operation not permitted"));
    CHECK(says(refused, "systempaths=unconfined"));
    CHECK(says(refused, "--ro-bind /proc /proc"));

    const Result bound = run_in(surroundings, {"--ro-bind", probe_program(), "/probe", "--ro-bind", "/proc", "/proc"},
                                {"/probe", "stat", "/proc/self"});
    INFO(bound.err);
    CHECK(bound.code == 0);
}

TEST_CASE("a /proc/sys that is read-only, as a container's, is named", "[hostile]") {
    const Result refused =
        run_in(in_small_namespace("mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"), bare(),
               {"/probe", "echo", "ran"});
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK(says(refused, "Read-only file system"));
    CHECK(says(refused, "/proc/sys is read-only or hidden here"));
    CHECK(says(refused, "systempaths=unconfined"));
}

TEST_CASE("root without the capabilities that a container takes away", "[hostile]") {
    if (::geteuid() != 0) return;  // an ordinary user has none anyway: all the other tests
    const auto without = [](const std::string& capabilities) {
        return Words{"/usr/bin/setpriv", "--bounding-set", capabilities, "--inh-caps", capabilities};
    };
    const std::string ids = GENERATE("single", "range");
    SECTION("CAP_SYS_ADMIN is not needed") {
        const Result built = run_in(without("-sys_admin"), join({"--ids", ids}, bare()), {"/probe", "ids"});
        INFO(built.err);
        CHECK(built.code == 0);
        CHECK(value_of(built.out, "euid") == "0");
    }
    SECTION("CAP_SETUID is, and is named") {
        const Result refused = run_in(without("-all"), join({"--ids", ids}, bare()), {"/probe", "echo", "ran"});
        INFO(refused.err);
        CHECK(refused.code == 125);
        CHECK(refused.out.empty());
        CHECK(says(refused, "root lacks CAP_SETUID or CAP_SETGID"));
        CHECK(says(refused, "--cap-add SETUID"));
    }
}
