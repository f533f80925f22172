// What runs again, and what does not.
#include <filesystem>

#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view chain = R"toml(
[stage.a]
from = "tools.root"
script = "a.sh"
[stage.b]
from = "a"
script = "b.sh"
[stage.c]
from = "b"
script = "c.sh"
out = { seen = "seen" }
)toml";

void write_chain(const Workspace& workspace) {
    workspace.pipeline(with_tools(chain));
    workspace.write("a.sh", "#!/bin/sh\necho a > /a\n");
    workspace.write("b.sh", "#!/bin/sh\ncat /a > /b; echo b >> /b\n");
    workspace.write("c.sh", "#!/bin/sh\ncat /a /b > /out/seen\n");
}

}  // namespace

TEST_CASE("a build makes every stage once", "[cache]") {
    const Workspace workspace;
    write_chain(workspace);
    const Result first = workspace.build();
    INFO(first.err);
    REQUIRE(first.code == 0);
    CHECK(states(first) == "tools=built a=built b=built c=built");
    CHECK(has_clean_receipt(first));
    CHECK(content_of(workspace.artifact_of("c", "seen")) == "a\na\nb\n");
    CHECK(is_at_rest(workspace));

    const Result second = workspace.build();
    CHECK(second.code == 0);
    CHECK(states(second) == "tools=cached a=cached b=cached c=cached");
    CHECK(has_clean_receipt(second));
    CHECK(is_at_rest(workspace));
}

TEST_CASE("a changed line runs its stage and what follows, and nothing before", "[cache]") {
    const Workspace workspace;
    write_chain(workspace);
    REQUIRE(workspace.build().code == 0);
    workspace.write("b.sh", "#!/bin/sh\ncat /a > /b; echo changed >> /b\n");
    const Result again = workspace.build();
    CHECK(states(again) == "tools=cached a=cached b=built c=built");
    CHECK(content_of(workspace.artifact_of("c", "seen")) == "a\na\nchanged\n");
    // What was made before is still there: the old line is the old result.
    workspace.write("b.sh", "#!/bin/sh\ncat /a > /b; echo b >> /b\n");
    CHECK(states(workspace.build()) == "tools=cached a=cached b=cached c=cached");
}

TEST_CASE("a stage that runs again to the same result stops the rebuild there", "[cache]") {
    const Workspace workspace;
    write_chain(workspace);
    REQUIRE(workspace.build().code == 0);
    SECTION("a layer") {
        workspace.write("b.sh", "#!/bin/sh\n# said in other words\ncat /a > /b; echo b >> /b\n");
        CHECK(states(workspace.build()) == "tools=cached a=cached b=built c=cached");
    }
    SECTION("an artifact") {
        std::string other = with_tools(chain);
        other.replace(other.find("set -e"), 6, "set -eu");
        workspace.pipeline(other);
        CHECK(states(workspace.build()) == "tools=built a=cached b=cached c=cached");
    }
}

TEST_CASE("limits, names and the age of a file do not make a stage run again", "[cache]") {
    const Workspace workspace;
    workspace.write("text", "one\n");
    const auto pipeline_of = [&](const std::string& name, const std::string& limits) {
        workspace.pipeline("[stage." + name + "]\nfrom = \"host\"\nin = { \"/in/text\" = \"./text\" }\n" + limits +
                           "run = [\"cp\", \"/in/text\", \"/out/copy\"]\nout = { copy = \"copy\" }\n");
    };
    pipeline_of("first", "");
    REQUIRE(workspace.build().code == 0);
    pipeline_of("second", "limits = { time = \"20m\" }\n");
    CHECK(states(workspace.build()) == "second=cached");
    workspace.write("text", "one\n");
    CHECK(states(workspace.build()) == "second=cached");
    // The twin: what it contains does.
    workspace.write("text", "two\n");
    CHECK(states(workspace.build()) == "second=built");
    CHECK(content_of(workspace.artifact_of("second", "copy")) == "two\n");
}

TEST_CASE("only what the named stages need is built", "[cache]") {
    const Workspace workspace;
    write_chain(workspace);
    const Result built = workspace.build({"a"});
    CHECK(built.code == 0);
    CHECK(states(built) == "tools=built a=built");
    CHECK(states(workspace.build()) == "tools=cached a=cached b=built c=built");
}

TEST_CASE("a variable of the command line is a part of what it stands in", "[cache]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[vars]
word = "one"
[stage.a]
from = "host"
run = ["sh", "-c", "echo ${word} > /out/word"]
out = { word = "word" }
)toml");
    REQUIRE(workspace.build().code == 0);
    CHECK(content_of(workspace.artifact_of("a", "word")) == "one\n");
    CHECK(states(workspace.build({"--var", "word=two"})) == "a=built");
    CHECK(content_of(workspace.artifact_of("a", "word")) == "two\n");
    CHECK(workspace.build({"--var", "unknown=two"}).code == 2);
}

TEST_CASE("with SOURCE_DATE_EPOCH two builds in two stores are the same to the bit", "[cache]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(R"toml(
[defaults]
env = { SOURCE_DATE_EPOCH = "1600000000" }
[stage.a]
from = "tools.root"
run = ["sh", "-c", "mkdir -p /d/e; echo one > /d/one; ln /d/one /d/two; ln -s one /d/three; touch -d @1500000000 /d/old"]
[stage.b]
from = "a"
run = ["sh", "-c", "rm /d/one; mkdir /out/tree; cp /d/two /out/tree/; touch -d @1500000000 /out/tree/old"]
out = { tree = "tree" }
)toml"));
    REQUIRE(workspace.build_in(workspace.store()).code == 0);
    REQUIRE(workspace.build_in(workspace.other_store()).code == 0);
    for (const char* stage : {"tools", "a", "b"}) {
        INFO(stage);
        const auto one = workspace.record_in(workspace.store(), stage);
        const auto other = workspace.record_in(workspace.other_store(), stage);
        CHECK(one.at("key") == other.at("key"));
        CHECK(one.at("tree") == other.at("tree"));
        CHECK(one.at("artifacts") == other.at("artifacts"));
        CHECK(one.contains("layer") == (stage != std::string("tools")));
        if (one.contains("layer")) CHECK(one.at("layer") == other.at("layer"));
    }
    const auto time_of = [&](const std::string& name) {
        return fs::last_write_time(workspace.artifact_of("b", "tree") + name).time_since_epoch();
    };
    CHECK(time_of("/two") - time_of("/old") == std::chrono::seconds(100000000));
    CHECK(time_of("") == time_of("/two"));
}
