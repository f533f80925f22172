// Inputs that change while a stage's jail is made: what the store has under a digest has that content.
#include <chrono>
#include <filesystem>
#include <thread>

#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
namespace fs = std::filesystem;

namespace {

Result check_store(const Workspace& workspace) {
    return run({.argv = {stagebox_program(), "store", "check", "--store", workspace.store()}});
}

// An editor that saves, again and again, by a rename: who reads the file sees one of two contents.
class Saver {
  public:
    Saver(const Workspace& workspace, const std::string& name)
        : thread_([&workspace, name](const std::stop_token& stop) {
              while (!stop.stop_requested()) {
                  for (const char* text : {"two\n", "one\n"}) {
                      workspace.write("next", text);
                      fs::rename(workspace.project() + "/next", workspace.project() + "/" + name);
                      std::this_thread::sleep_for(std::chrono::milliseconds(10));
                  }
              }
          }) {}

  private:
    std::jthread thread_;
};

}  // namespace

TEST_CASE("an input that changes between its digest and its copy fails the stage", "[input]") {
    const Workspace workspace;
    workspace.write("d", "one\n");
    // The same input with other ids is a copy of its own, which is made after the first stage, by the digest from before.
    workspace.pipeline(R"toml(
[stage.first]
from = "host"
in = { "/in/d" = "./d" }
run = ["sh", "-c", "echo waiting; sleep 3; cat /in/d > /out/seen"]
out = { seen = "seen" }
[stage.second]
from = "host"
ids = "single"
in = { "/in/d" = "./d", "/in/seen" = "first.seen" }
run = ["cat", "/in/d"]
)toml");
    Process build(workspace.command({"build"}));
    build.wait_for("waiting");
    workspace.write("d", "two\n");
    const Result changed = build.finish();
    INFO(changed.err);
    CHECK(changed.code == 3);
    CHECK(states(changed) == "first=built second=failed");
    CHECK(says(changed, "/d changed while it was copied"));
    CHECK(says(changed, "help: start again when nothing writes there"));
    CHECK(content_of(workspace.artifact_of("first", "seen")) == "one\n");
    CHECK(check_store(workspace).code == 0);
    const Result again = workspace.build();
    CHECK(again.code == 0);
    CHECK(says(again, "second | two"));
}

TEST_CASE("no command puts other content under a digest while an input changes", "[input][shell]") {
    const Workspace workspace;
    workspace.write("data/zz", "one\n");
    // Between the digest of the last file and its copy lies the copy of the others.
    for (int i = 0; i < 200; ++i) workspace.write("data/" + std::to_string(i), std::string(50000, 'x'));
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
in = { "/in/data" = "./data" }
run = ["sh", "-c", "cat /in/data/zz > /out/result"]
out = { result = "result" }
)toml");
    for (int i = 0; i < 4; ++i) {
        const Saver saver(workspace, "data/zz");
        Start shell = workspace.command({"shell", "a"});
        shell.input = "cat /in/data/zz\n";
        const Result shown = run(shell);
        INFO(shown.err);
        CHECK((shown.code == 0 || says(shown, "data changed while it was copied")));
    }
    workspace.write("data/zz", "one\n");
    const Result checked = check_store(workspace);
    INFO(checked.out << checked.err);
    CHECK(checked.code == 0);
    REQUIRE(workspace.build().code == 0);
    CHECK(content_of(workspace.artifact_of("a", "result")) == "one\n");
    CHECK(is_at_rest(workspace));
}
