// Stages have nothing in common but what the pipeline says.

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;

TEST_CASE("a marker that one stage leaves is not seen by the next", "[isolation][threat][covert]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.leave]
from = "host"
run = ["sh", "-c", """
set -e
echo marker > /out/marker; echo marker > /dev/shm/marker; echo marker > /tmp/marker; echo marker > /run/marker
echo marker > /var/tmp/marker; echo marker > /root/marker; echo marker > /marker
ipcmk -Q; ipcmk -M 4096; ipcs -q | grep 0x
sh -c 'sleep 1000' &
"""]
out = { marker = "marker" }
[stage.look]
from = "host"
in = { "/in/marker" = "leave.marker" }
run = ["sh", "-c", """
set -e
cat /in/marker
for place in /out /dev/shm /tmp /run /var/tmp /root /; do test ! -e $place/marker; done
test -z "$(ipcs -q | grep 0x)" && test -z "$(ipcs -m | grep 0x)"
test "$(ls -d /proc/[0-9]* | wc -l)" -lt 6
"""]
)toml");
    const Result built = workspace.build({"-j", "1"});
    INFO(built.err);
    CHECK(built.code == 0);
    CHECK(states(built) == "leave=built look=built");
    CHECK(has_clean_receipt(built));
}

TEST_CASE("stages that run at the same time do not see each other", "[isolation][threat][covert]") {
    const Workspace workspace;
    std::string stages;
    for (const std::string name : {"one", "two"}) {
        stages += sandbox::os::format(R"toml(
[stage.{0}]
from = "host"
run = ["sh", "-c", """
echo x > /dev/shm/{0}; echo x > /tmp/{0}
sleep 0.5
ls -A /dev/shm /tmp > /out/seen
"""]
out = {{ seen = "seen" }}
)toml",
                                      name);
    }
    workspace.pipeline(stages);
    REQUIRE(workspace.build({"-j", "2"}).code == 0);
    CHECK(content_of(workspace.artifact_of("one", "seen")).starts_with("/dev/shm:\none\n\n/tmp:\none\n"));
    CHECK(content_of(workspace.artifact_of("two", "seen")).starts_with("/dev/shm:\ntwo\n\n/tmp:\ntwo\n"));
}

TEST_CASE("a stage sees nothing of its caller's environment, input and descriptors",
          "[isolation][threat][descriptors]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
env = { WORD = "shown" }
run = ["sh", "-c", "env | sort > /out/env; cat > /out/input; ls /proc/self/fd | wc -l > /out/count"]
out = { env = "env", input = "input", count = "count" }
)toml");
    Start build = workspace.command({"build"});
    build.env = {{"SECRET_TOKEN", "s3cret"}, {"STAGEBOX_SECRET", "s3cret"}};
    build.input = "input of the caller\n";
    REQUIRE(run(build).code == 0);
    CHECK(content_of(workspace.artifact_of("a", "env")) ==
          "HOME=/root\nLC_ALL=C.UTF-8\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\nWORD=shown\n");
    CHECK(content_of(workspace.artifact_of("a", "input")).empty());
    // 0, 1, 2 and the directory that ls reads.
    CHECK(content_of(workspace.artifact_of("a", "count")) == "4\n");
}
