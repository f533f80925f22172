// Nothing waits without an end, and no message is longer than its bound, whatever a stage leaves behind.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

// The line "KEY: …" of /proc/PID/status.
std::string status_line(const std::string& pid, const std::string& key) {
    std::ifstream status("/proc/" + pid + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(key + ":")) return line.substr(key.size() + 1);
    }
    return {};
}

// The store's helper is the build's only child in a user namespace of its own and in the build's PID namespace.
std::vector<pid_t> helpers_of(pid_t build) {
    const fs::path own = fs::read_symlink("/proc/self/ns/user");
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string pid = entry.path().filename();
        if (pid.find_first_not_of("0123456789") != pid.npos) continue;
        if (status_line(pid, "PPid") != "\t" + std::to_string(build)) continue;
        const std::string numbers = status_line(pid, "NSpid");
        if (std::ranges::count(numbers, '\t') != 1) continue;
        std::error_code error;
        if (fs::read_symlink(entry.path() / "ns/user", error) != own) found.push_back(std::stoi(pid));
    }
    return found;
}

// A stage that says "waiting" and ends a second later; then what it made is sealed.
Start waiting_stage(const Workspace& workspace, const std::string& limits) {
    workspace.pipeline(sandbox::os::format(R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "echo x > /out/x; echo waiting; sleep 1"]
out = {{ x = "x" }}
{}
)toml",
                                           limits));
    return workspace.command({"build"});
}

// The helpers of a build that do nothing any more, as if the disk gave no answer.
class StoppedHelpers {
  public:
    explicit StoppedHelpers(pid_t build) : pids_(helpers_of(build)) {
        REQUIRE(pids_.size() == 1);
        send(SIGSTOP);
    }
    StoppedHelpers(const StoppedHelpers&) = delete;
    StoppedHelpers& operator=(const StoppedHelpers&) = delete;
    ~StoppedHelpers() { send(SIGCONT); }
    [[nodiscard]] bool is_gone() const { return ::kill(pids_.front(), 0) == -1; }

  private:
    void send(int number) const {
        for (const pid_t pid : pids_) ::kill(pid, number);
    }
    std::vector<pid_t> pids_;
};

}  // namespace

TEST_CASE("bounds: a path too long to be said fails its stage, and the others go on", "[bounds][threat][outputs]") {
    const int levels = GENERATE(17, 600, 1200);
    INFO("levels: " << levels);
    const Workspace workspace;
    workspace.pipeline(sandbox::os::format(R"toml(
[stage.hostile]
from = "host"
run = ["perl", "-e", """
use POSIX;
mkdir "/out/t"; chdir "/out/t";
for (1..{}) {{ mkdir "x" x 250; chdir "x" x 250 }}
POSIX::mkfifo("f", 0600)
"""]
out = {{ t = "t" }}
[stage.other]
from = "host"
run = ["sh", "-c", "echo ok > /out/ok"]
out = {{ ok = "ok" }}
[result]
t = "hostile.t"
ok = "other.ok"
)toml",
                                           levels));
    const Result failed = workspace.build({"-o", workspace.path() + "/results"});
    INFO(failed.err.substr(0, 4000));
    CHECK(failed.code == 1);
    CHECK(states(failed) == "hostile=failed other=built");
    CHECK(says(failed, "its output t: the path xxx"));
    CHECK(says(failed, "xxx is longer than 4095 bytes"));
    CHECK(failed.err.size() < 4000);
    CHECK(content_of(workspace.path() + "/results/ok") == "ok\n");
    CHECK(has_clean_receipt(failed));
}

TEST_CASE("bounds: the second signal ends a build whose store does not answer", "[bounds][interrupt]") {
    const Workspace workspace;
    Process build(waiting_stage(workspace, ""));
    build.wait_for("waiting");
    const StoppedHelpers helpers(build.pid());
    std::this_thread::sleep_for(1500ms);  // the command has ended
    build.signal(SIGINT);
    build.wait_for("a | stopped");
    build.signal(SIGTERM);
    const auto sent = std::chrono::steady_clock::now();
    const Result ended = build.finish(8s);
    INFO(ended.err);
    CHECK(std::chrono::steady_clock::now() - sent < 2s);
    CHECK(ended.code == 130);
    CHECK(states(ended) == "a=stopped");
    CHECK(workspace.record_of("a").is_null());
    CHECK(helpers.is_gone());
}

TEST_CASE("bounds: one signal ends the deletion of what was discarded", "[bounds][interrupt]") {
    const Workspace workspace;
    Process build(waiting_stage(workspace, ""));
    build.wait_for("waiting");
    const std::vector<pid_t> helpers = helpers_of(build.pid());
    REQUIRE(helpers.size() == 1);
    build.wait_for("a | done");
    ::kill(helpers.front(), SIGSTOP);
    build.signal(SIGINT);
    const Result ended = build.finish(8s);
    INFO(ended.err);
    // Where the deletion was done before the signal came, the build was too.
    CHECK((ended.code == 130 || ended.code == 0));
    CHECK(states(ended) == "a=built");
    CHECK(::kill(helpers.front(), 0) == -1);
}

TEST_CASE("bounds: the limit of time holds for what comes after the command", "[bounds][limits]") {
    const Workspace workspace;
    Process build(waiting_stage(workspace, "limits = { time = \"2s\" }"));
    build.wait_for("waiting");
    {
        const StoppedHelpers helpers(build.pid());
        build.wait_for("a | failed");
    }
    const Result ended = build.finish(8s);
    INFO(ended.err);
    CHECK(ended.code == 1);
    CHECK(states(ended) == "a=failed");
    CHECK(
        says(ended, "not done after its time limit of 2 s: its command had ended, and what it made was not kept yet"));
    CHECK(says(ended, "wall-time"));
    CHECK(workspace.record_of("a").is_null());
    CHECK(has_clean_receipt(ended));
}

TEST_CASE("bounds: an input that takes long to be read does not keep a build from ending", "[bounds][interrupt]") {
    const Workspace workspace;
    // Time to read a file of a tebibyte nobody has; where its holes are known, it is an input like any other.
    workspace.write("big", "");
    fs::resize_file(workspace.project() + "/big", std::uintmax_t{1} << 40U);
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
in = { "/in/big" = "./big" }
run = ["sh", "-c", "echo ready; sleep 1000"]
)toml");
    Process build(workspace.command({"build"}));
    CHECK(becomes_true([&] { return processes_with(workspace.path()).size() > 1; }, 5s));
    std::this_thread::sleep_for(500ms);
    build.signal(SIGINT);
    const Result ended = build.finish(8s);
    INFO(ended.err);
    CHECK(ended.code == 130);
    CHECK(processes_with(workspace.path()).empty());
}
