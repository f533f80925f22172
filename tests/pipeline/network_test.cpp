// Which stages have a network, and how what it gave is pinned.

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;

namespace {

// What a network gives: something else each time.
constexpr std::string_view fetch = R"toml(
[stage.fetch]
from = "host"
network = "host"
run = ["sh", "-c", "head -c 16 /dev/urandom > /out/x"]
out = { x = "x" }
[stage.use]
from = "host"
in = { "/in/x" = "fetch.x" }
run = ["cp", "/in/x", "/out/y"]
out = { y = "y" }
)toml";

// What a pipeline with a stage on the host's network is granted.
const std::vector<std::string> granted = {"--allow", "host-network"};

std::vector<std::string> granted_and(std::vector<std::string> words) {
    words.insert(words.begin(), granted.begin(), granted.end());
    return words;
}

std::string id_of(const Workspace& workspace, const std::string& store) {
    return workspace.record_in(store, "fetch").at("artifacts").at("x").at("id");
}

}  // namespace

TEST_CASE("a stage without a network reaches nobody, one with it does", "[network]") {
    const Workspace workspace;
    const Listener listener;
    workspace.add_probe();
    workspace.pipeline(sandbox::os::format(R"toml(
[stage.without]
from = "empty"
in = {{ "/in/probe" = "./probe" }}
run = ["/in/probe", "connect-inet", "127.0.0.1", "{0}"]
[stage.with]
from = "empty"
network = "host"
in = {{ "/in/probe" = "./probe" }}
run = ["/in/probe", "connect-inet", "127.0.0.1", "{0}"]
)toml",
                                           listener.port()));
    const Result built = workspace.build(granted);
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(says(built, "without | connect=ECONNREFUSED"));
    CHECK(says(built, "   with | connect=ok"));
}

TEST_CASE("what the network gave is pinned beside the pipeline", "[network][lock]") {
    const Workspace workspace;
    workspace.pipeline(fetch);
    const std::string lock = workspace.project() + "/stagebox.lock";
    REQUIRE(workspace.build(granted).code == 0);
    const std::string first = content_of(lock);
    const std::string first_id = id_of(workspace, workspace.store());
    CHECK(first.find("[stage.fetch]") != std::string::npos);
    CHECK(first.find(first_id) != std::string::npos);
    CHECK(first.find("[stage.use]") == std::string::npos);
    CHECK(states(workspace.build(granted)) == "fetch=cached use=cached");
    CHECK(content_of(lock) == first);

    SECTION("another store does not get it again: an error, and --refresh") {
        const Result differs = workspace.build_in(workspace.other_store(), granted);
        INFO(differs.err);
        CHECK(differs.code == 1);
        CHECK(states(differs) == "fetch=failed use=skipped");
        CHECK(says(differs, "the network gave something else than stagebox.lock has pinned"));
        CHECK(says(differs, "--refresh fetch"));
        CHECK(content_of(lock) == first);
        CHECK(workspace.record_in(workspace.other_store(), "fetch").is_null());

        const Result refreshed = workspace.build_in(workspace.other_store(), granted_and({"--refresh", "fetch"}));
        CHECK(refreshed.code == 0);
        CHECK(states(refreshed) == "fetch=built use=built");
        CHECK(content_of(lock) != first);
        CHECK(content_of(lock).find(id_of(workspace, workspace.other_store())) != std::string::npos);
        CHECK(states(workspace.build_in(workspace.other_store(), granted)) == "fetch=cached use=cached");
    }
    SECTION("a store that has what is pinned takes it, whatever it made last") {
        REQUIRE(workspace.build(granted_and({"--refresh", "fetch"})).code == 0);
        CHECK(id_of(workspace, workspace.store()) != first_id);
        workspace.write("stagebox.lock", first);
        const Result back = workspace.build(granted);
        INFO(back.err);
        CHECK(back.code == 0);
        CHECK(states(back) == "fetch=cached use=cached");
        CHECK(content_of(lock) == first);
    }
    SECTION("a stage that asks for something else is not held to the pin") {
        std::string other(fetch);
        other.replace(other.find("-c 16"), 5, "-c 17");
        workspace.pipeline(other);
        CHECK(states(workspace.build(granted)) == "fetch=built use=built");
        CHECK(content_of(lock) != first);
    }
}

TEST_CASE("a lock file that is wrong is told with its line", "[network][lock]") {
    const Workspace workspace;
    workspace.pipeline(fetch);
    workspace.write("stagebox.lock", "version = 2\n[stage.fetch]\nkye = \"x\"\n");
    const Result wrong = workspace.build(granted);
    INFO(wrong.err);
    CHECK(wrong.code == 2);
    CHECK(says(wrong, "stagebox.lock:3:1: error: "));

    const std::string lines = "version = 1\n[stage.fetch]\nkey = \"" + std::string(64, 'a') + "\"\ntree = \"\"\n";
    const std::string outside = "artifact.x = { id = \"../../../x\", bytes = 1, entries = 1, type = \"file\" }\n";
    workspace.write("stagebox.lock", lines + outside);
    const Result path = workspace.build(granted);
    INFO(path.err);
    CHECK(path.code == 2);
    CHECK(says(path, "stagebox.lock:5:21: error: stage.fetch.artifact.x.id must be a digest"));
    CHECK(says(path, "help: "));
    CHECK(path.out.find("fetch") == std::string::npos);
}

TEST_CASE("a stage with the host's network does not see more of the host", "[network]") {
    const Workspace workspace;
    const Canary canary(workspace.path() + "/canary");
    workspace.pipeline(sandbox::os::format(R"toml(
[stage.a]
from = "host"
network = "host"
run = ["sh", "-c", "test ! -e {} && test ! -e /etc/shadow && test ! -e /home && test -z \"$(ls /run | grep -v stagebox)\""]
)toml",
                                           canary.path()));
    const Result built = workspace.build(granted);
    INFO(built.err);
    CHECK(built.code == 0);
}
