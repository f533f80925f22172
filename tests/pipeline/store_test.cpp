// The store as a user sees it: where it may be, what is listed, what is deleted.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/pipeline/pipeline.hpp"

using namespace tests::pipeline;
using namespace tests::support;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view two_stages = R"toml(
[stage.a]
from = "tools.root"
run = ["sh", "-c", "mkdir /d; echo a > /d/a; chown -R 42:42 /d"]
[stage.b]
from = "a"
script = "b.sh"
out = { x = "x" }
)toml";

Result store(const Workspace& workspace, std::vector<std::string> words) {
    words.insert(words.begin(), {stagebox_program(), "store"});
    words.insert(words.end(), {"--store", workspace.store()});
    return run({.argv = std::move(words)});
}

}  // namespace

TEST_CASE("a store in a shared temporary directory is refused", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    for (const std::string path : {"/tmp/stagebox-store-of-a-test", "/var/tmp/stagebox-store-of-a-test"}) {
        const Result refused = workspace.build_in(path);
        INFO(refused.err);
        CHECK(refused.code == 3);
        CHECK(says(refused, "the store cannot be in " + path.substr(0, path.rfind('/'))));
        CHECK(says(refused, "--store or STAGEBOX_STORE"));
        CHECK_FALSE(fs::exists(path));
    }
}

TEST_CASE("the store is where the environment says", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    const std::vector<std::string> build = {stagebox_program(), "build", "-f", workspace.project() + "/stagebox.toml"};
    CHECK(run({.argv = build, .env = {{"STAGEBOX_STORE", workspace.store()}}}).code == 0);
    CHECK(workspace.names_in("records").size() == 1);
    CHECK(run({.argv = build, .env = {{"XDG_CACHE_HOME", workspace.path()}, {"STAGEBOX_STORE", ""}}}).code == 0);
    CHECK(fs::exists(workspace.path() + "/stagebox/v1/records"));
}

TEST_CASE("gc deletes what no result needs, and no more", "[store]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(two_stages));
    workspace.write("b.sh", "#!/bin/sh\ncp /d/a /out/x; rm -r /d\n");
    REQUIRE(workspace.build().code == 0);
    const Result listed = store(workspace, {"ls"});
    CHECK(listed.code == 0);
    CHECK(says(listed, "3 results"));
    CHECK(says(listed, "0 failed stages kept; 0 unnamed layers and artifacts"));
    CHECK(says(store(workspace, {"gc"}), "deleted: 0 results, 0 failed stages, 0 layers and artifacts"));
    CHECK(states(workspace.build()) == "tools=cached a=cached b=cached");

    workspace.write("b.sh", "#!/bin/sh\nexit 1\n");
    REQUIRE(workspace.build().code == 1);
    workspace.forget("b");
    std::ofstream(workspace.store() + "/v1/records/abc.json.1.new") << "{ \"half";
    CHECK(says(store(workspace, {"ls"}), "1 failed stages kept; 3 unnamed layers and artifacts"));
    const Result collected = store(workspace, {"gc"});
    INFO(collected.out << collected.err);
    CHECK(collected.code == 0);
    CHECK(says(collected, "deleted: 0 results, 1 failed stages, 3 layers and artifacts"));
    CHECK(collected.err.empty());
    CHECK(workspace.names_in("layers").size() == 1);
    CHECK(workspace.names_in("records").size() == 2);
    CHECK(workspace.names_in("trash").empty());
    CHECK(states(workspace.build({"a"})) == "tools=cached a=cached");
}

TEST_CASE("gc deletes results that were not used for long", "[store]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(two_stages));
    workspace.write("b.sh", "#!/bin/sh\ncp /d/a /out/x\n");
    REQUIRE(workspace.build().code == 0);
    const std::string key = workspace.record_of("b").at("key");
    const fs::path record = workspace.store() + "/v1/records/" + key + ".json";
    fs::last_write_time(record, fs::last_write_time(record) - std::chrono::hours(24 * 40));
    SECTION("not used") {
        CHECK(says(store(workspace, {"gc"}), "deleted: 1 results, 0 failed stages, 2 layers"));
    }
    SECTION("used since") {
        REQUIRE(workspace.build().code == 0);
        CHECK(says(store(workspace, {"gc"}), "deleted: 0 results"));
    }
}

TEST_CASE("nothing is deleted while a build uses the store", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"echo waiting; sleep 1\"]\n");
    Process build(workspace.command({"build"}));
    build.wait_for("a | waiting");
    const Result refused = store(workspace, {"gc"});
    CHECK(refused.code != 0);
    CHECK(says(refused, "a build or a shell is using the store"));
    CHECK(build.finish().code == 0);
    CHECK(store(workspace, {"gc"}).code == 0);
}

TEST_CASE("what a killed build left is swept by the next", "[store][alone]") {
    const Workspace workspace;
    workspace.write("b.sh", "#!/bin/sh\nmkdir /more; chown 7:7 /more; chmod 0 /more; echo waiting; sleep 1000\n");
    workspace.pipeline(with_tools(two_stages));
    Process build(workspace.command({"build"}));
    build.wait_for("b | waiting");
    build.signal(SIGKILL);
    CHECK(build.finish().code == -SIGKILL);
    CHECK(workspace.names_in("staging").size() == 1);
    workspace.write("b.sh", "#!/bin/sh\ncp /d/a /out/x\n");
    const Result next = workspace.build();
    INFO(next.err);
    CHECK(next.code == 0);
    CHECK(states(next) == "tools=cached a=cached b=built");
    CHECK_FALSE(says(next, "could not be deleted"));
    CHECK(workspace.names_in("staging").empty());
    CHECK(workspace.names_in("trash").empty());
}

TEST_CASE("what a killed build left is also swept by a build of other ids", "[store][alone]") {
    const Workspace workspace;
    workspace.write("b.sh", "#!/bin/sh\nmkdir /more; touch /more/x; chown -R 7:7 /more; echo waiting; sleep 1000\n");
    workspace.pipeline(with_tools(two_stages));
    Process build(workspace.command({"build"}));
    build.wait_for("b | waiting");
    build.signal(SIGKILL);
    static_cast<void>(build.finish());
    workspace.pipeline("[stage.single]\nfrom = \"host\"\nids = \"single\"\nrun = [\"true\"]\n");
    const Result next = workspace.build();
    INFO(next.err);
    CHECK(next.code == 0);
    CHECK_FALSE(says(next, "could not be deleted"));
    CHECK(workspace.names_in("trash").empty());
}

TEST_CASE("a store belongs to one range of ids", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    REQUIRE(workspace.build().code == 0);
    const std::string format_file = workspace.store() + "/v1/format.json";
    const std::string mine = content_of(format_file);
    auto other = sandbox::os::Json::parse(mine);
    other["ids"]["uid_base"] = 12345;
    std::ofstream(format_file) << other.dump();
    workspace.forget("a");
    const Result refused = workspace.build();
    INFO(refused.err);
    CHECK(refused.code == 3);
    CHECK(says(refused, "belongs to the ids 12345 onwards"));
    std::ofstream(format_file) << mine;
    CHECK(workspace.build().code == 0);
}

TEST_CASE("a store that cannot be used is told as such", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    workspace.write("file", "x");
    const Result refused = workspace.build_in(workspace.project() + "/file");
    CHECK(refused.code == 3);
    CHECK(says(refused, "the store " + workspace.project() + "/file cannot be used: "));
    CHECK(workspace.build_in("/proc/no-store").code == 3);
}

TEST_CASE("a record that this version cannot read is a stage that runs again", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    REQUIRE(workspace.build().code == 0);
    const std::string key = workspace.record_of("a").at("key");
    std::ofstream(workspace.store() + "/v1/records/" + key + ".json") << "{ \"format\": ";
    CHECK(states(workspace.build()) == "a=built");
    CHECK(states(workspace.build()) == "a=cached");
}
