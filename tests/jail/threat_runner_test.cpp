// The runner's own file, which belongs to the user whose jail it makes: nothing in the jail can change it
// (CVE-2019-5736), and nothing of init is open.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "sandbox/os/format.hpp"
#include "tests/jail/hostile_root.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using namespace std::chrono_literals;
using sandbox::os::format;
namespace fs = std::filesystem;

namespace {

std::string bytes_of(const std::string& path) {
    std::ostringstream bytes;
    bytes << std::ifstream(path, std::ios::binary).rdbuf();
    return bytes.str();
}

// A copy of the program that whoever reaches it may write, beside a root that is made to reach it: a script that names
// /proc/self/exe as its interpreter, and a loader of the payload's own where programs look for theirs.
class ExposedRunner {
  public:
    ExposedRunner() : runner_(root_.workspace() + "/runner") {
        fs::copy_file(stagebox_program(), runner_);
        fs::permissions(runner_, fs::perms::all);
        before_ = bytes_of(runner_);
        std::ofstream(root_.path() + "/entry") << "#!/proc/self/exe\n";
        fs::permissions(root_.path() + "/entry", fs::perms::all);
        fs::create_directories(root_.path() + "/lib64");
        fs::copy_file(loader_program(), root_.path() + "/lib64/ld-linux-x86-64.so.2");
    }
    [[nodiscard]] Start start(const std::string& ids, const Words& command) const {
        return {.argv = join({runner_, "run", "--ids", ids, "--root", root_.path(), "--"}, command)};
    }
    [[nodiscard]] bool is_unchanged() const { return bytes_of(runner_) == before_; }
    [[nodiscard]] const std::string& path() const { return runner_; }

  private:
    HostileRoot root_;
    std::string runner_;
    std::string before_;
};

}  // namespace

TEST_CASE("a payload that opens every executable of its jail for writing changes nothing", "[threat][runner][race]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const ExposedRunner runner;
    const Result tried = run(runner.start(ids, {"/probe", "overwrite-all", "500"}));
    INFO(tried.err << tried.out);
    REQUIRE(tried.code == 0);
    CHECK(value_of(tried.out, "opened") == "0");
    CHECK(value_of(tried.out, "refused") != "0");
    CHECK(runner.is_unchanged());
    // The twin: what is the payload's, it may write.
    CHECK(value_of(run(runner.start(ids, {"/probe", "write", "/tmp/x", "x"})).out, "write") == "ok");
}

TEST_CASE("an entry point that names /proc/self/exe does not get the runner's file", "[threat][runner]") {
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const ExposedRunner runner;
    const Result tried = run(runner.start(ids, {"/entry"}));
    INFO(tried.err << tried.out);
    // Not a single open for writing succeeded, if it came so far.
    CHECK((tried.code != 0 || value_of(tried.out, "opened") == "0"));
    CHECK(runner.is_unchanged());
}

TEST_CASE("nor when the supervisor is killed while the payload tries", "[threat][runner][race][alone]") {
    const ExposedRunner runner;
    for (int round = 0; round < 500; ++round) {
        const Start start = runner.start("single", {round % 2 == 0 ? "/entry" : "/probe", "overwrite-all", "100000"});
        Process jail(start);
        ::usleep(static_cast<useconds_t>(2000 + 37 * (round % 400)));
        jail.signal(SIGKILL);
        static_cast<void>(jail.finish());
        INFO("round " << round);
        if (round % 50 == 0) REQUIRE(runner.is_unchanged());
    }
    CHECK(becomes_true([&] { return processes_with(runner.path()).empty(); }, 1s));
    CHECK(runner.is_unchanged());
}

TEST_CASE("init does not run from the host's file", "[threat][runner]") {
    Process jail(start_of(bare(), {"/probe", "sleep", "20"}));
    jail.wait_for("sleeping=");
    // Init is the runner's one child.
    std::ifstream file(format("/proc/{}/task/{}/children", jail.pid(), jail.pid()));
    pid_t init = 0;
    file >> init;
    REQUIRE(init > 0);
    const std::string link = fs::read_symlink(format("/proc/{}/exe", init)).string();
    INFO(link);
    CHECK(link.find(stagebox_program()) == std::string::npos);
    CHECK(link.find("memfd:") != std::string::npos);
}

TEST_CASE("a copy with the setuid bit refuses to work for others", "[threat][runner]") {
    if (::geteuid() != 0) {
        SUCCEED("only root can give a program to another user");
        return;
    }
    const Workspace workspace;
    const std::string copy = workspace.path() + "/setuid";
    fs::copy_file(stagebox_program(), copy);
    fs::permissions(copy, static_cast<fs::perms>(04755));
    fs::permissions(workspace.path(), static_cast<fs::perms>(0755));
    const auto as_nobody = [&](const std::string& program) {
        Start start{.argv = {program, "run", "--", "/bin/true"}};
        start.in_child = [] {
            if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) ::_exit(99);
        };
        return tests::support::run(start);
    };
    const Result refused = as_nobody(copy);
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.err.find("setuid") != std::string::npos);
    // The twin: without the bit it is a program like any other.
    fs::permissions(copy, static_cast<fs::perms>(0755));
    const Result plain = as_nobody(copy);
    INFO(plain.err);
    CHECK(plain.code == 0);
}
