// Builds side by side, and stages side by side.
#include <signal.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using namespace std::chrono_literals;
using sandbox::os::format;
namespace fs = std::filesystem;

namespace {

void write_slow_stage(const Workspace& workspace) {
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "echo waiting; sleep 2; echo done > /out/x"]
out = { x = "x" }
)toml");
}

// When a stage that wrote "START END" nanoseconds ran.
struct Span {
    long long start = 0;
    long long end = 0;
};

Span span_of(const Workspace& workspace, const std::string& stage) {
    std::istringstream text(content_of(workspace.artifact_of(stage, "times")));
    Span span;
    text >> span.start >> span.end;
    return span;
}

bool overlap(const Span& one, const Span& other) {
    return one.start < other.end && other.start < one.end;
}

}  // namespace

TEST_CASE("a second build of the same stage waits, says for whom, and finds it done", "[concurrent]") {
    const Workspace workspace;
    write_slow_stage(workspace);
    Process first(workspace.command({"build"}));
    first.wait_for("a | waiting");
    Process second(workspace.command({"build"}));
    second.wait_for(format("waits for process {} (stage a of ", first.pid()));
    const Result one = first.finish();
    const Result other = second.finish();
    INFO(other.err);
    CHECK(one.code == 0);
    CHECK(states(one) == "a=built");
    CHECK(other.code == 0);
    CHECK(states(other) == "a=cached");
    CHECK(has_clean_receipt(one));
    CHECK(has_clean_receipt(other));
    CHECK(is_at_rest(workspace));
}

TEST_CASE("a build that waits goes on where the other was killed", "[concurrent][alone]") {
    const Workspace workspace;
    write_slow_stage(workspace);
    Process first(workspace.command({"build"}));
    first.wait_for("a | waiting");
    Process second(workspace.command({"build"}));
    second.wait_for("waits for process");
    first.signal(SIGKILL);
    const Result other = second.finish(15s);
    INFO(other.err);
    CHECK(other.code == 0);
    CHECK(states(other) == "a=built");
    CHECK(first.finish().code == -SIGKILL);
}

TEST_CASE("a build that waits can be interrupted", "[concurrent]") {
    const Workspace workspace;
    write_slow_stage(workspace);
    Process first(workspace.command({"build"}));
    first.wait_for("a | waiting");
    Process second(workspace.command({"build"}));
    second.wait_for("waits for process");
    second.signal(SIGINT);
    CHECK(second.finish(5s).code == 130);
    CHECK(first.finish().code == 0);
}

TEST_CASE("stages that do not need each other run at the same time, as many as were asked for", "[concurrent]") {
    const Workspace workspace;
    std::string stages;
    for (const char* name : {"one", "two"}) {
        stages += format(
            "[stage.{}]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", "
            "\"b=$(date +%s%N); sleep 0.7; echo $b $(date +%s%N) > /out/times; : {}\"]\n"
            "out = {{ times = \"times\" }}\n",
            name, name);
    }
    workspace.pipeline(stages);
    REQUIRE(workspace.build({"-j", "2"}).code == 0);
    CHECK(overlap(span_of(workspace, "one"), span_of(workspace, "two")));
    workspace.forget("one");
    workspace.forget("two");
    REQUIRE(workspace.build({"-j", "1"}).code == 0);
    CHECK_FALSE(overlap(span_of(workspace, "one"), span_of(workspace, "two")));
}

TEST_CASE("a build holds no more descriptors after many stages than after a few", "[concurrent]") {
    const Workspace workspace;
    constexpr int few = 10;
    constexpr int many = 60;
    std::string stages;
    for (int i = 1; i <= many; ++i) {
        const std::string command = i == few || i == many ? "echo waits; sleep 1" : "true";
        stages += format("[stage.s{}]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"{}; : {}\"]\n", i, command, i);
    }
    workspace.pipeline(stages);
    Process build(workspace.command({"build", "--jobs", "1"}));
    const auto descriptors_at = [&](int stage) {
        build.wait_for(format("s{} | waits", stage));
        const fs::path folder = format("/proc/{}/fd", build.pid());
        return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
    };
    const auto after_few = descriptors_at(few);
    const auto after_many = descriptors_at(many);
    INFO(after_few << " after " << few << ", " << after_many << " after " << many);
    // The namespaces of the last jails are held until a look at all processes pays (runtime/host/receipt/watch.cpp).
    CHECK(after_many <= after_few + 8);
    CHECK(build.finish().code == 0);
}

TEST_CASE("stages of one content may be built side by side", "[concurrent]") {
    const Workspace workspace;
    std::string stages;
    for (int i = 0; i < 8; ++i) {
        stages += format(
            "[stage.s{}]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"mkdir /out/x; echo same > /out/x/f; : "
            "{}\"]\n"
            "out = {{ x = \"x\" }}\n",
            i, i);
    }
    workspace.pipeline(stages);
    Process first(workspace.command({"build", "-j", "4"}));
    Process second(workspace.command({"build", "-j", "4"}));
    CHECK(first.finish().code == 0);
    CHECK(second.finish().code == 0);
    CHECK(workspace.names_in("records").size() == 8);
    CHECK(workspace.names_in("artifacts").size() == 1);
    CHECK(is_at_rest(workspace));
}

TEST_CASE("what stages write at the same time is never mixed within a line", "[concurrent]") {
    const Workspace workspace;
    constexpr int lines = 400;
    std::string stages;
    for (const char* name : {"one", "two", "three", "four"}) {
        // Each line in three writes, and a last one that nobody ends.
        stages += sandbox::os::format(
            "[stage.{0}]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"i=0; while [ $i -lt {1} ]; do printf '<{0} '; "
            "printf $i; "
            "echo ' {0}>'; i=$((i+1)); done; printf '<end of {0}>'\"]\n",
            name, lines);
    }
    workspace.pipeline(stages);
    const Result built = workspace.build({"-j", "4"});
    REQUIRE(built.code == 0);
    std::map<std::string, int> seen;
    bool has_changed = false;
    std::string last;
    std::istringstream output(built.err);
    for (std::string line; std::getline(output, line);) {
        const std::size_t bar = line.find(" | <");
        if (bar == std::string::npos) {
            CHECK(line.find('<') == std::string::npos);
            continue;
        }
        const std::string stage = line.substr(line.find_first_not_of(' '), bar - line.find_first_not_of(' '));
        const std::string text = line.substr(bar + 3);
        has_changed = has_changed || (!last.empty() && last != stage);
        last = stage;
        if (text == sandbox::os::format("<end of {}>", stage)) continue;
        CHECK(text == sandbox::os::format("<{0} {1} {0}>", stage, seen[stage]++));
    }
    for (const char* name : {"one", "two", "three", "four"}) CHECK(seen[name] == lines);
    CHECK(has_changed);
}
