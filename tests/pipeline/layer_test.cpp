// What a stage changes is what the next one finds; nothing else is in its layer.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
namespace fs = std::filesystem;

namespace {

// Every path in a layer, relative to it.
std::set<std::string> paths_in(const std::string& layer) {
    std::set<std::string> paths;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(layer)) {
        paths.insert(fs::relative(entry.path(), layer).string());
    }
    return paths;
}

}  // namespace

TEST_CASE("the next stage finds what the one before changed", "[layer]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(R"toml(
[stage.a]
from = "tools.root"
run = ["sh", "-c", """
set -e
mkdir /kept /replaced /renamed /emptied
echo kept > /kept/file; echo removed > /kept/removed
echo old > /replaced/old; echo name > /renamed/file; echo gone > /emptied/gone
echo owned > /owned; chown 1234:60000 /owned; chmod 4751 /owned
echo linked > /one; ln /one /two; ln -s /one /link; ln -s nowhere /dangling; mkfifo /fifo
mkdir -m 1777 /sticky; mkdir -m 000 /closed; echo secret > /closed/secret
"""]
[stage.b]
from = "a"
run = ["sh", "-c", """
set -e
rm /kept/removed; echo created > /kept/created
rm -r /replaced; mkdir /replaced; echo new > /replaced/new
mv /renamed /other-name
rm /emptied/gone
ln /kept/created /kept/linked
rm /link; mkdir /link
"""]
[stage.c]
from = "b"
run = ["sh", "-c", """
ls /kept /replaced /other-name /emptied /closed
test ! -e /renamed && test ! -e /kept/removed && echo gone
cat /kept/linked /two /closed/secret
stat -c '%n %a %u:%g %F' /owned /sticky /closed /link /fifo
stat -c '%n %h' /one /two /kept/created
test /one -ef /two && test /kept/created -ef /kept/linked && echo same
"""]
)toml"));
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    const std::string run = workspace.record_of("c").at("run");
    const std::string seen = content_of(workspace.store() + "/v2/" + run + "/c.log");
    CHECK(seen == R"(/closed:
secret

/emptied:

/kept:
created
file
linked

/other-name:
file

/replaced:
new
gone
created
linked
secret
/owned 4751 1234:60000 regular file
/sticky 1777 0:0 directory
/closed 0 0:0 directory
/link 755 0:0 directory
/fifo 644 0:0 fifo
/one 2
/two 2
/kept/created 2
same
)");
    CHECK(is_at_rest(workspace));
}

TEST_CASE("a layer holds what its stage changed, and no mount point", "[layer]") {
    const Workspace workspace;
    workspace.write("input/file", "input\n");
    workspace.pipeline(with_tools(R"toml(
[stage.a]
from = "tools.root"
in = { "/in/local" = "./input", "/in/tools" = "tools.root", "/opt/deep/place" = "./input/file" }
run = ["sh", "-c", "mkdir -p /var/new; echo a > /var/new/file; cat /in/local/file /opt/deep/place > /out/copy; echo t > /tmp/t; echo r > /run/r"]
out = { copy = "copy" }
[stage.b]
from = "a"
run = ["sh", "-c", "rm -r /var/new"]
[stage.nothing]
from = "b"
run = ["true"]
[stage.view]
from = "tools.root"
in = { "/in/one" = "a", "/in/two" = "b" }
run = ["sh", "-c", "ls /in/one > /out/one; ls /in/two /in/two/var > /out/two; touch /in/one/x || echo refused >> /out/one"]
out = { one = "one", two = "two" }
)toml"));
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(paths_in(workspace.layer_of("a")) == std::set<std::string>{"var", "var/new", "var/new/file"});
    CHECK(paths_in(workspace.layer_of("nothing")).empty());
    CHECK(paths_in(workspace.layer_of("view")).empty());
    // What was removed is a whiteout: a character device 0:0.
    struct stat whiteout {};
    REQUIRE(::lstat((workspace.layer_of("b") + "/var/new").c_str(), &whiteout) == 0);
    CHECK(S_ISCHR(whiteout.st_mode));
    CHECK(whiteout.st_rdev == 0);
    CHECK(content_of(workspace.artifact_of("a", "copy")) == "input\ninput\n");
    CHECK(content_of(workspace.artifact_of("view", "one")) == "bin\nlib\nlib64\nusr\nvar\nrefused\n");
    CHECK(content_of(workspace.artifact_of("view", "two")) == "/in/two:\nbin\nlib\nlib64\nusr\nvar\n\n/in/two/var:\n");
}

TEST_CASE("an empty root has nothing but what every jail has", "[layer]") {
    const Workspace workspace;
    workspace.add_probe();
    workspace.pipeline(R"toml(
[stage.a]
from = "empty"
in = { "/in/probe" = "./probe" }
run = ["/in/probe", "list", "/"]
[stage.b]
from = "a"
in = { "/in/probe" = "./probe" }
run = ["/in/probe", "write", "/file", "text"]
[stage.single]
from = "empty"
in = { "/in/probe" = "./probe" }
ids = "single"
run = ["/in/probe", "write", "/file", "text"]
)toml");
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    const std::string run = workspace.record_of("a").at("run");
    CHECK(content_of(workspace.store() + "/v2/" + run + "/a.log") == "dev\nin\nout\nproc\nrun\nsys\ntmp\n");
    CHECK(paths_in(workspace.layer_of("a")).empty());
    CHECK(paths_in(workspace.layer_of("b")) == std::set<std::string>{"file"});
    CHECK(content_of(workspace.layer_of("single") + "/file") == "text");
    CHECK(states(workspace.build()) == "a=cached b=cached single=cached");
}

TEST_CASE("artifacts are files and trees, and keep owners and modes", "[layer]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "mkdir -p /out/deep/tree/sub; echo x > /out/deep/tree/sub/x; chown -R 12:34 /out/deep/tree/sub; chmod 6750 /out/deep/tree/sub/x; echo f > /out/file; chmod 700 /out/file; echo left > /out/left"]
out = { tree = "deep/tree", file = "file" }
[stage.b]
from = "tools.root"
in = { "/in/tree" = "a.tree", "/in/file" = "a.file" }
run = ["sh", "-c", "stat -c '%n %a %u:%g' /in/tree/sub /in/tree/sub/x /in/file; cat /in/tree/sub/x /in/file; echo no > /in/file || echo refused"]
)toml"));
    const Result built = workspace.build();
    INFO(built.err);
    REQUIRE(built.code == 0);
    const std::string run = workspace.record_of("b").at("run");
    const std::string seen = content_of(workspace.store() + "/v2/" + run + "/b.log");
    CHECK(seen.find("/in/tree/sub 755 12:34\n/in/tree/sub/x 6750 12:34\n/in/file 700 0:0\nx\nf\n") == 0);
    CHECK(seen.ends_with("refused\n"));
    CHECK(workspace.record_of("a").at("artifacts").size() == 2);
}
