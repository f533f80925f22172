// Each stage under its own profile: where it is found, what it changes, and what must be allowed by it.
#include <sys/stat.h>

#include <fstream>

#include "sandbox/os/json.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;

namespace {

constexpr std::string_view two_stages = R"toml(
[stage.usual]
from = "host"
run = ["sh", "-c", "grep -c CapEff.*0000000000000000 /proc/self/status || true"]
[stage.strict]
from = "host"
profile = "strict"
run = ["sh", "-c", "grep -c CapEff.*0000000000000000 /proc/self/status || true"]
)toml";

void write_profile(const Workspace& workspace, const std::string& name, const std::string& text) {
    ::mkdir((workspace.project() + "/profiles").c_str(), 0755);
    std::ofstream(workspace.project() + "/profiles/" + name) << text;
}

}  // namespace

TEST_CASE("every stage has the profile that it names", "[profile]") {
    const Workspace workspace;
    workspace.pipeline(two_stages);
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(says(built, "strict | 1"));
    CHECK(says(built, " usual | 0"));
}

TEST_CASE("a profile beside the pipeline is found by its name, and its change runs the stage again", "[profile]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
profile = "mine"
run = ["sh", "-c", "hostname"]
[stage.b]
from = "host"
run = ["true"]
)toml");
    const Result missing = workspace.build();
    CHECK(missing.code == 2);
    CHECK(says(missing, "there is no profile \"mine\""));
    CHECK(says(missing, "stagebox.toml:"));
    write_profile(workspace, "mine.toml", "name = \"mine\"\nextends = \"build\"\nhostname = \"first\"\n");
    const Result first = workspace.build();
    INFO(first.err);
    REQUIRE(first.code == 0);
    CHECK(says(first, "a | first"));
    CHECK(workspace.build().err.find("a | first") == std::string::npos);
    write_profile(workspace, "mine.toml", "name = \"mine\"\nextends = \"build\"\nhostname = \"second\"\n");
    const Result second = workspace.build();
    CHECK(says(second, "a | second"));
    CHECK_FALSE(says(second, "b | starts"));
}

TEST_CASE("a profile that stands in for one that ships says so", "[profile]") {
    const Workspace workspace;
    workspace.pipeline(two_stages);
    CHECK_FALSE(says(workspace.build(), "not the one that ships"));
    write_profile(workspace, "build.toml", "name = \"build\"\nextends = \"build\"\nhostname = \"other\"\n");
    CHECK(says(workspace.build(),
               "profile build is " + workspace.project() + "/profiles/build.toml, not the one that ships"));
}

TEST_CASE("a stage needs its profile's word for what loosens it, and the summary names it", "[profile]") {
    const Workspace workspace;
    const std::string stage = "[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n";
    workspace.pipeline(stage + "profile = \"strict\"\nnetwork = \"host\"\n");
    const Result refused = workspace.build();
    CHECK(refused.code == 2);
    CHECK(says(refused, "the stage a has network = \"host\", which its profile strict does not allow"));
    CHECK(says(refused, "allow-add = [\"host-network\"]"));
    workspace.pipeline(stage + "profile = \"fetch\"\ndevices = [\"kvm\"]\n");
    CHECK(workspace.build().code == 2);
    workspace.pipeline(stage + "profile = \"fetch\"\nnetwork = \"host\"\n");
    const Result built = workspace.build({"--allow", "host-network"});
    INFO(built.err);
    CHECK(built.code == 0);
    CHECK(says(built, "permissions: a: host-network"));
    workspace.pipeline(stage + "profile = \"fetch\"\n");
    CHECK_FALSE(says(workspace.build(), "permissions:"));
    workspace.pipeline(stage + "profile = \"shell\"\n");
    CHECK(says(workspace.build({"--allow", "ptrace"}), "permissions: a: ptrace"));
}

TEST_CASE("a stage that is silent for too long is ended, one that writes is not", "[profile][limits]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
limits = { idle = "2s" }
run = ["sh", "-c", "for i in 1 2 3 4 5; do sleep 1; echo $i; done"]
[stage.b]
from = "host"
limits = { idle = "1s" }
run = ["sleep", "60"]
)toml");
    const Result built = workspace.build();
    INFO(built.err);
    CHECK(built.code == 1);
    CHECK(says(built, "a | 5"));
    CHECK(says(built, "wrote nothing for 1 s, its idle limit"));
}

TEST_CASE("limits of a profile hold for its stages, a stage's own go over them, and none is dropped",
          "[profile][limits]") {
    const Workspace workspace;
    write_profile(workspace, "mine.toml", "name = \"mine\"\nextends = \"build\"\nlimits = { time = \"1s\" }\n");
    const std::string stage = "[stage.a]\nfrom = \"host\"\nprofile = \"mine\"\nrun = [\"sleep\", \"3\"]\n";
    workspace.pipeline(stage);
    const Result late = workspace.build();
    CHECK(late.code == 1);
    CHECK(says(late, "not done after its time limit of 1 s"));
    workspace.pipeline(stage + "limits = { time = \"60s\" }\n");
    CHECK(workspace.build().code == 0);
    workspace.pipeline(stage + "limits = { memory = \"3G\" }\n");
    // As on a machine without cgroups.
    Start start = workspace.command({"build"});
    start.env["STAGEBOX_CGROUP"] = "/proc";
    const Result refused = run(start);
    CHECK(refused.code == 2);
    CHECK(says(refused, "limits that cannot be kept here: memory"));
    CHECK(says(refused, "STAGEBOX_CGROUP is /proc"));
}
