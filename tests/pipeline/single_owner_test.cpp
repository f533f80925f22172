// Owners in stages with one id: what one stage gave away is somebody else's in the next one, in inputs and in tars, and
// a part of what the store calls the same.
#include <sys/xattr.h>

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using sandbox::os::format;

namespace {

// Four stages: one that makes, one on its root that looks, one that sees its artifact, one that tars its root.
std::string stages_with(std::string_view ids) {
    return format(R"toml(
[stage.maker]
from = "root.root"
ids = "{0}"
run = ["sh", "-c", """
set -e
echo owned > /file; chown 12:34 /file; chmod 4751 /file
mkdir /directory; chown 5:6 /directory; chmod 2770 /directory; echo x > /directory/in-group
ln -s file /link; chown -h 7:8 /link; mkfifo /fifo; chown 9:9 /fifo
ln /file /hard; mkdir /out/tree; echo y > /out/tree/y; chown -R 21:22 /out/tree
"""]
out = {{ tree = "tree" }}
[stage.root]
from = "host"
ids = "{0}"
in = {{ "/in/root" = "tools.root" }}
run = ["cp", "-r", "/in/root", "/out/root"]
out = {{ root = "root" }}
[stage.looker]
from = "maker"
ids = "{0}"
in = {{ "/in/tree" = "maker.tree" }}
run = ["sh", "-c", """
stat -c '%n %u:%g %a %F' /file /hard /directory /directory/in-group /link /fifo /in/tree /in/tree/y
mv /link /link2; stat -c '%u:%g' /link2; chown 0:0 /file; stat -c '%u:%g' /hard
"""]
[stage.tar]
from = "host"
ids = "{0}"
in = {{ "/in/root" = "looker" }}
run = ["sh", "-c", "tar -C /in/root --numeric-owner --xattrs -cf /out/t.tar file directory link2 fifo; tar --numeric-owner -tvf /out/t.tar | cut -d' ' -f1,2; grep -c stagebox.owner /out/t.tar || true"]
out = {{ tar = "t.tar" }}
)toml",
                  ids);
}

std::string log_of(const Workspace& workspace, const std::string& stage) {
    const std::string run = workspace.record_of(stage).at("run");
    return content_of(workspace.store() + "/v2/" + run + "/" + stage + ".log");
}

}  // namespace

TEST_CASE("owners go from stage to stage with one id as with a range", "[fakeroot]") {
    std::string seen[2];
    std::string tar[2];
    int i = 0;
    for (const char* ids : {"single", "range"}) {
        const Workspace workspace;
        workspace.pipeline(with_tools(stages_with(ids)));
        const Result built = workspace.build({"tar"});
        INFO(built.err);
        REQUIRE(built.code == 0);
        seen[i] = log_of(workspace, "looker");
        tar[i++] =
            content_of(workspace.store() + "/v2/" + std::string(workspace.record_of("looker").at("run")) + "/tar.log");
        CHECK(is_at_rest(workspace));
    }
    CHECK(seen[0] ==
          "/file 12:34 4751 regular file\n/hard 12:34 4751 regular file\n/directory 5:6 2770 directory\n"
          "/directory/in-group 0:6 644 regular file\n/link 7:8 777 symbolic link\n/fifo 9:9 644 fifo\n"
          "/in/tree 21:22 755 directory\n/in/tree/y 21:22 644 regular file\n7:8\n12:34\n");
    CHECK(seen[0] == seen[1]);
    CHECK(tar[0] == "-rwxr-x--x 0/0\ndrwxrws--- 5/6\n-rw-r--r-- 0/6\nlrwxrwxrwx 7/8\nprw-r--r-- 9/9\n0\n");
    CHECK(tar[0] == tar[1]);
}

TEST_CASE("an owner is a part of a result; its attribute never leaves the store", "[fakeroot]") {
    const Workspace workspace;
    const auto stage = [&](const char* owner) {
        workspace.pipeline(format(R"toml(
[defaults]
env = {{ SOURCE_DATE_EPOCH = "1000000000" }}
[stage.a]
from = "host"
ids = "single"
run = ["sh", "-c", "echo x > /out/x; chown {} /out/x"]
out = {{ x = "x" }}
[result]
x = "a.x"
)toml",
                                  owner));
    };
    stage("1:2");
    REQUIRE(workspace.build().code == 0);
    const std::string first = workspace.record_of("a").at("artifacts").at("x").at("id");
    CHECK(::getxattr(workspace.artifact_of("a", "x").c_str(), "user.stagebox.owner", nullptr, 0) == 3);
    workspace.forget("a");
    REQUIRE(workspace.build().code == 0);
    CHECK(workspace.record_of("a").at("artifacts").at("x").at("id") == first);
    stage("1:3");
    REQUIRE(workspace.build().code == 0);
    CHECK(workspace.record_of("a").at("artifacts").at("x").at("id") != first);
    const Result exported = workspace.run({"build", "--output", workspace.path() + "/result"});
    INFO(exported.err);
    REQUIRE(exported.code == 0);
    CHECK(content_of(workspace.path() + "/result/x") == "x\n");
    CHECK(::listxattr((workspace.path() + "/result/x").c_str(), nullptr, 0) == 0);
}

TEST_CASE("with a range of ids, what looks like a recorded owner is taken away", "[fakeroot]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
run = ["perl", "-e", "open F, '>', '/out/x'; my $f = '/out/x'; my $k = 'user.stagebox.owner'; my $v = '1:2'; syscall(188, $f, $k, $v, 3, 0) == 0 or die $!"]
out = { x = "x" }
)toml");
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(::getxattr(workspace.artifact_of("a", "x").c_str(), "user.stagebox.owner", nullptr, 0) < 0);
}
