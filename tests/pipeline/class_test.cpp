// Every class of failure, each from a real fault; another attempt that succeeds; and what each error mode makes of a
// failure.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <map>

#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/sys.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using namespace std::chrono_literals;
using sandbox::os::format;
using sandbox::os::Json;

namespace {

std::vector<Json> events_of(const Workspace& workspace) {
    std::ifstream file(format("{}/v2/runs/{}/events.jsonl", workspace.store(), workspace.names_in("runs").back()));
    std::vector<Json> events;
    for (std::string line; std::getline(file, line);) events.push_back(Json::parse(line));
    return events;
}

// The event of a stage's end.
Json end_of(const Workspace& workspace, const std::string& stage) {
    for (const Json& event : events_of(workspace)) {
        if (event.at("event") == "stage" && event.at("stage") == stage) return event;
    }
    return {};
}

// A small HTTP server on the loopback device, in a process of its own. The first connections it closes without a word,
// as one that is overloaded does; then it serves.
class FailingServer {
  public:
    explicit FailingServer(int failures) {
        listener_ = sandbox::os::Fd(
            sandbox::os::sys([] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }, "make a socket"));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sandbox::os::sys(
            [&] { return ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address); },
            "bind");
        sandbox::os::sys([&] { return ::listen(listener_.get(), 16); }, "listen");
        socklen_t size = sizeof address;
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        pid_ = static_cast<pid_t>(sandbox::os::sys([] { return ::fork(); }, "fork"));
        if (pid_ == 0) serve(failures);
    }
    FailingServer(const FailingServer&) = delete;
    FailingServer& operator=(const FailingServer&) = delete;
    ~FailingServer() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] int port() const { return port_; }

  private:
    [[noreturn]] void serve(int failures) const {
        for (;; --failures) {
            const int connection = ::accept(listener_.get(), nullptr, nullptr);
            char request[4096];
            static_cast<void>(!::read(connection, request, sizeof request));
            constexpr std::string_view answer =
                "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nserved";
            if (failures <= 0) static_cast<void>(!::write(connection, answer.data(), answer.size()));
            ::close(connection);
        }
    }

    sandbox::os::Fd listener_;
    int port_ = 0;
    pid_t pid_ = -1;
};

// A port of the loopback device on which nobody listens.
std::string closed_port() {
    return Listener().port();
}

struct Row {
    std::string stage;  // its name is the class
    std::string fault;  // for the table
    std::string keys;   // of the stage
};

std::vector<Row> rows() {
    return {
        {"network", "curl, a server that refuses",
         format("network = \"host\"\nretry = {{ max = 1 }}\nrun = [\"curl\", \"-sS\", \"http://127.0.0.1:{}/\"]",
                closed_port())},
        {"hash-mismatch", "sha256sum -c, a wrong digest",
         "run = [\"sh\", \"-c\", \"echo x > /tmp/x; sha256sum /tmp/x > /tmp/sums; echo y > /tmp/x; sha256sum -c "
         "/tmp/sums\"]"},
        {"no-space", "a copy to a device that is full", "run = [\"cp\", \"/etc/passwd\", \"/dev/full\"]"},
        {"out-of-memory", "xz under a limit of address space",
         "run = [\"sh\", \"-c\", \"ulimit -v 60000; exec xz -9 -c /dev/zero\"]"},
        {"wall-time", "longer than limits.time", "limits = { time = \"1s\" }\nrun = [\"sleep\", \"1000\"]"},
        {"idle-time", "silent for longer than limits.idle",
         "limits = { idle = \"1s\" }\nrun = [\"sh\", \"-c\", \"echo begun; sleep 1000\"]"},
        {"denied-call", "a mount, which the profile denies",
         "run = [\"mount\", \"-t\", \"tmpfs\", \"none\", \"/tmp\"]"},
        {"signal", "SIGSEGV", "run = [\"sh\", \"-c\", \"kill -SEGV $$\"]"},
        {"command-not-found", "no such program", "run = [\"sh\", \"-c\", \"no-such-program\"]"},
        {"script-error", "exit code 3", "run = [\"sh\", \"-c\", \"exit 3\"]"},
        {"service", "a service that ends before the command",
         "run = [\"sleep\", \"1000\"]\nservices = [{ name = \"s\", run = [\"false\"] }]"},
        {"output", "an artifact that was not made", "run = [\"true\"]\nout = { x = \"x\" }"},
        {"pin", "a network that gives something else the next time",
         "network = \"host\"\nrun = [\"sh\", \"-c\", \"date +%N > /out/x\"]\nout = { x = \"x\" }"},
        {"jail", "a root whose /usr is a link to nowhere", "from = \"linked.root\"\nrun = [\"true\"]"},
        {"interrupted", "SIGINT", "run = [\"sh\", \"-c\", \"echo waiting; sleep 1000\"]"},
    };
}

std::string pipeline_of(const std::vector<Row>& rows) {
    std::string text = R"toml(
[stage.linked]
from = "host"
run = ["sh", "-c", "mkdir /out/root; ln -s /nowhere /out/root/usr"]
out = { root = "root" }
)toml";
    for (const Row& row : rows) {
        text +=
            format("[stage.{}]\n{}{}\n", row.stage, row.keys.starts_with("from") ? "" : "from = \"host\"\n", row.keys);
    }
    return text;
}

}  // namespace

TEST_CASE("every class of failure is found in a real fault", "[class]") {
    for (const char* program : {"/usr/bin/curl", "/usr/bin/xz"}) {
        if (::access(program, X_OK) == 0) continue;
        unavailable(program);
        return;
    }
    const Workspace workspace;
    const std::vector<Row> all = rows();
    workspace.pipeline(pipeline_of(all));
    // What is noted of it is in another store, so it has to run here.
    REQUIRE(workspace.build_in(workspace.other_store(), {"--allow", "host-network", "pin"}).code == 0);
    Process build(workspace.command({"build", "--allow", "host-network", "-j", "2"}));
    build.wait_for("interrupted | waiting");
    // All the others are before it in the file, but may be at work still.
    REQUIRE(becomes_true(
        [&] {
            for (const Row& row : all) {
                if (row.stage != "interrupted" && end_of(workspace, row.stage).is_null()) return false;
            }
            return true;
        },
        60s));
    build.signal(SIGINT);
    const Result ended = build.finish();
    INFO(ended.err);
    CHECK(ended.code == 130);
    CHECK(has_clean_receipt(ended));

    std::string table;
    std::map<std::string, Json> ends;
    for (const Row& row : all) ends[row.stage] = end_of(workspace, row.stage);
    // Only a locked build fails for another result, and that of this store is one.
    const Result locked = workspace.build({"--allow", "host-network", "--locked", "pin"});
    CHECK(locked.code == 1);
    ends["pin"] = end_of(workspace, "pin");
    for (const Row& row : all) {
        INFO(row.stage << ": " << row.fault);
        const Json& end = ends.at(row.stage);
        const Json failure = end.value("failure", Json::object());
        CHECK(failure.value("class", "") == row.stage);
        table += format("{:<18} {:<50} {}{}\n", row.stage, row.fault, failure.value("what", "(nothing)"),
                        failure.contains("found_by") ? format(" [{}]", failure.at("found_by").get<std::string>()) : "");
        const Result& said = row.stage == "pin" ? locked : ended;
        if (row.stage != "interrupted") CHECK(says(said, "class: " + row.stage));
    }
    std::cout << table;
}

TEST_CASE("a stage with a network tries again until the server answers", "[class]") {
    if (::access("/usr/bin/curl", X_OK) != 0) {
        unavailable("/usr/bin/curl");
        return;
    }
    const Workspace workspace;
    const FailingServer server(2);
    workspace.pipeline(format(R"toml(
[stage.fetch]
from = "host"
network = "host"
retry = {{ wait = "1s" }}
run = ["curl", "-sS", "-o", "/out/x", "http://127.0.0.1:{}/"]
out = {{ x = "x" }}
)toml",
                              server.port()));
    const auto start = std::chrono::steady_clock::now();
    const Result built = workspace.build({"--allow", "host-network"});
    const auto passed = std::chrono::steady_clock::now() - start;
    INFO(built.err);
    CHECK(built.code == 0);
    CHECK(content_of(workspace.artifact_of("fetch", "x")) == "served");
    CHECK(passed >= 3s);  // 1 s and then 2 s, each a little longer by chance
    CHECK(says(built, "network: its command ended with exit code 52; attempt 2 of 3 in 1."));
    CHECK(says(built, "network: its command ended with exit code 52; attempt 3 of 3 in 2."));
    std::vector<std::string> kinds;
    for (const Json& event : events_of(workspace)) kinds.push_back(event.at("event").get<std::string>());
    CHECK(kinds == std::vector<std::string>{"begin", "start", "pause", "start", "pause", "start", "stage", "usage",
                                            "receipt", "end"});
    CHECK(end_of(workspace, "fetch").at("attempts") == 3);
}

TEST_CASE("each error mode, with and without optional, over a diamond in which one side fails", "[class]") {
    struct Mode {
        const char* errors;
        const char* optional;
        bool is_named;  // the stage that needs both sides is asked for on the command line
        int code;
        const char* right;
    };
    const std::vector<Mode> modes = {
        {"graceful", "false", false, 1, "built"},   {"graceful", "true", false, 1, "built"},
        {"strict", "false", false, 1, "skipped"},   {"strict", "true", false, 1, "skipped"},
        {"permissive", "false", false, 1, "built"}, {"permissive", "true", false, 0, "built"},
        {"graceful", "true", true, 1, "built"},     {"strict", "true", true, 1, "skipped"},
        {"permissive", "false", true, 1, "built"},  {"permissive", "true", true, 1, "built"},
    };
    std::string table;
    for (const Mode& mode : modes) {
        INFO(mode.errors << ", optional = " << mode.optional << (mode.is_named ? ", bottom named" : ""));
        const Workspace workspace;
        workspace.pipeline(format(R"toml(
[defaults]
errors = "{}"
[stage.top]
from = "host"
run = ["sh", "-c", "echo top > /out/x"]
out = {{ x = "x" }}
[stage.left]
from = "host"
optional = {}
in = {{ "/in/x" = "top.x" }}
run = ["sh", "-c", "exit 1"]
out = {{ x = "x" }}
[stage.right]
from = "host"
in = {{ "/in/x" = "top.x" }}
run = ["sh", "-c", "echo right > /out/x"]
out = {{ x = "x" }}
[stage.bottom]
from = "host"
in = {{ "/in/left" = "left.x", "/in/right" = "right.x" }}
run = ["true"]
)toml",
                                  mode.errors, mode.optional));
        // One at a time, so that what strict does not start is sure.
        std::vector<std::string> words = {"-j", "1"};
        if (mode.is_named) words.emplace_back("bottom");
        const Result ended = workspace.build(words);
        INFO(ended.err);
        CHECK(ended.code == mode.code);
        CHECK(states(ended) == format("top=built left=failed right={} bottom=skipped", mode.right));
        table += format("{:<10}  optional = {:<5}  {:<12}  {}, exit code {}\n", mode.errors, mode.optional,
                        mode.is_named ? "bottom named" : "", states(ended), ended.code);
        CHECK(has_clean_receipt(ended));
    }
    std::cout << table;
}

TEST_CASE("strict ends the stages that run beside the one that fails, in good order", "[class]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[defaults]
errors = "strict"
[stage.waits]
from = "host"
run = ["sh", "-c", "trap 'echo in order; exit 0' TERM; echo waiting; while :; do sleep 0.1; done"]
[stage.fails]
from = "host"
run = ["sh", "-c", "sleep 1; exit 1"]
[stage.last]
from = "host"
run = ["true"]
)toml");
    const Result ended = workspace.build({"-j", "2"});
    INFO(ended.err);
    CHECK(ended.code == 1);
    CHECK(states(ended) == "waits=stopped fails=failed last=skipped");
    CHECK(says(ended, "waits | in order"));
    CHECK(has_clean_receipt(ended));
}
