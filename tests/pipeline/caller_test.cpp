// Callers that leave something behind in what they start: a build is the same under them.
#include <signal.h>
#include <unistd.h>

#include "tests/support/catch.hpp"

#include "tests/pipeline/pipeline.hpp"

using namespace tests::pipeline;
using namespace tests::support;

namespace {

// A local input and an output, so that every helper has something to do, and both kinds of ids.
constexpr std::string_view stages = R"toml(
[stage.a]
from = "host"
in = { "/in/note" = "./note" }
run = ["sh", "-c", "(exit 4); cat /in/note > /out/x"]
out = { x = "x" }
[stage.b]
from = "host"
ids = "single"
run = ["sh", "-c", "cat > /out/y"]
out = { y = "y" }
)toml";

void check_build(const std::function<void()>& in_child) {
    const Workspace workspace;
    workspace.pipeline(stages);
    workspace.write("note", "a note\n");
    Start start = workspace.command({"build"});
    start.in_child = in_child;
    const Result built = run(start);
    INFO(built.out << built.err);
    CHECK(built.code == 0);
    CHECK(content_of(workspace.artifact_of("a", "x")) == "a note\n");
    CHECK(content_of(workspace.artifact_of("b", "y")).empty());
    CHECK(is_at_rest(workspace));
}

}  // namespace

TEST_CASE("a build by a caller that ignores SIGCHLD", "[caller]") {
    check_build([] { ::signal(SIGCHLD, SIG_IGN); });
}

TEST_CASE("a build by a caller that blocks every signal", "[caller]") {
    check_build([] {
        sigset_t all;
        ::sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, nullptr);
    });
}

TEST_CASE("a build by a caller that closed standard streams", "[caller]") {
    const std::vector<int> closed = GENERATE(values<std::vector<int>>({{0}, {1}, {2}, {0, 1, 2}}));
    check_build([&closed] {
        for (const int stream : closed) ::close(stream);
    });
}
