// Outputs that a stage has made to harm: refused in words or kept as what they are, and nothing outside is
// touched.
#include <sys/stat.h>

#include <filesystem>

#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
namespace fs = std::filesystem;

namespace {

// One stage on the host's root with one artifact `x`.
void write_stage(const Workspace& workspace, const std::string& script, const std::string& output) {
    workspace.write("stage.sh", "#!/bin/sh\nset -e\n" + script + "\n");
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nscript = \"stage.sh\"\nout = { x = \"" + output +
                       "\" }\n[result]\nx = \"a.x\"\n");
}

// After `store gc`, nothing of a failed stage is left, whatever it had made.
bool can_be_cleaned(const Workspace& workspace) {
    const Result cleaned = run({.argv = {stagebox_program(), "store", "gc", "--store", workspace.store()}});
    UNSCOPED_INFO(cleaned.out << cleaned.err);
    return cleaned.code == 0 && !says(cleaned, "could not be deleted") && workspace.names_in("failed").empty() &&
           workspace.names_in("trash").empty();
}

}  // namespace

TEST_CASE("outputs that lead elsewhere or are no files are refused", "[output][threat][outputs]") {
    struct Case {
        const char* script;
        const char* output;
        const char* words;
    };
    const Case hostile = GENERATE(values<Case>({
        {"ln -s /etc/passwd /out/x", "x", "/out/x is neither a file nor a directory"},
        {"ln -s CANARY/file /out/x", "x", "/out/x is neither a file nor a directory"},
        {"ln -s CANARY /out/x", "x", "/out/x is neither a file nor a directory"},
        {"ln -s nowhere /out/x", "x", "/out/x is neither a file nor a directory"},
        {"ln -s CANARY /out/d", "d/file", "/out/d"},
        {"ln -s / /out/d", "d/etc/passwd", "/out/d"},
        {"ln -s ../../../../../../../../../../etc /out/d", "d/passwd", "/out/d"},
        {"mkfifo /out/x", "x", "/out/x is neither a file nor a directory"},
        {"perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => \"/out/x\", Listen => 1)'", "x",
         "/out/x is neither a file nor a directory"},
        {"true", "x", "the stage did not make /out/x"},
        {"echo file > /out/d", "d/x", "/out/d"},
        {"perl -e 'mkdir \"/out/x\"; chdir \"/out/x\"; for (1..3000) { mkdir \"d\"; chdir \"d\" }'", "x",
         "nested deeper than 1000 directories"},
    }));
    const Workspace workspace;
    const Canary canary(workspace.path() + "/canary");
    std::string script = hostile.script;
    if (const std::size_t at = script.find("CANARY"); at != std::string::npos) script.replace(at, 6, canary.path());
    INFO(script);
    write_stage(workspace, script, hostile.output);
    const Result refused = workspace.build({"--output", workspace.path() + "/results"});
    INFO(refused.err);
    CHECK(refused.code == 1);
    CHECK(state_of(refused, "a") == "failed");
    CHECK(says(refused, hostile.words));
    CHECK(has_clean_receipt(refused));
    CHECK(workspace.names_in("records").empty());
    CHECK(workspace.names_in("artifacts").empty());
    CHECK_FALSE(fs::exists(workspace.path() + "/results/x"));
    CHECK(canary.is_unchanged());
    CHECK(can_be_cleaned(workspace));
    CHECK(canary.is_unchanged());
}

TEST_CASE("a device cannot be made at all", "[output][threat][outputs]") {
    const Workspace workspace;
    write_stage(workspace,
                "mkdir /out/x; mknod /out/x/null c 1 3 || echo refused; mknod /out/x/vda b 254 0 || echo refused", "x");
    const Result built = workspace.build();
    CHECK(built.code == 0);
    CHECK(says(built, "Operation not permitted"));
    CHECK(fs::is_empty(workspace.artifact_of("a", "x")));
}

TEST_CASE("what is strange but harmless is exported as itself", "[output][threat][outputs]") {
    const Workspace workspace;
    const Canary canary(workspace.path() + "/canary");
    write_stage(workspace,
                "mkdir /out/x; cd /out/x; echo 1 > 'new\nline'; echo 2 > '-rf'; echo 3 > \"$(printf 'bell\\007')\"\n"
                "ln -s " +
                    canary.path() +
                    "/file link; echo 4 > set-id; chmod 6755 set-id; mkdir -m 000 closed\n"
                    "echo 5 > closed/five",
                "x");
    const std::string results = workspace.path() + "/results";
    const Result built = workspace.build({"--output", results});
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(content_of(results + "/x/new\nline") == "1\n");
    CHECK(content_of(results + "/x/-rf") == "2\n");
    CHECK(content_of(results + "/x/bell\a") == "3\n");
    CHECK(content_of(results + "/x/closed/five") == "5\n");
    CHECK(fs::is_symlink(results + "/x/link"));
    CHECK(fs::read_symlink(results + "/x/link") == canary.path() + "/file");
    struct stat status {};
    REQUIRE(::lstat((results + "/x/set-id").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777U) == 0755);
    CHECK(status.st_uid == ::geteuid());
    CHECK(canary.is_unchanged());
}

TEST_CASE("a tree with a FIFO or a socket in it is not exported", "[output][threat][outputs]") {
    const Workspace workspace;
    write_stage(workspace, "mkdir /out/x; echo 1 > /out/x/a; mkfifo \"/out/x/$(printf 'b\\n\\033[31mred')\"", "x");
    const std::string results = workspace.path() + "/results";
    const Result refused = workspace.build({"--output", results});
    INFO(refused.err);
    CHECK(refused.code != 0);
    CHECK(says(refused, "is a device, a socket or a FIFO"));
    CHECK(refused.err.find('\033') == std::string::npos);
    // No half of it is there.
    CHECK_FALSE(fs::exists(results + "/x"));
}

TEST_CASE("a stage that makes its trees hard to delete does not fill the store for ever",
          "[output][threat][teardown]") {
    const Workspace workspace;
    write_stage(workspace,
                "mkdir -p /out/x/a/b/c; echo 1 > /out/x/a/b/c/d; chown -R 77:77 /out/x/a; chmod -R 000 /out/x/a\n"
                "perl -e 'chdir \"/out\"; for (1..200) { mkdir \"d\" x 200; chdir \"d\" x 200 }'; exit 1",
                "x");
    const Result failed = workspace.build();
    CHECK(failed.code == 1);
    CHECK(workspace.names_in("failed").size() == 1);
    CHECK(can_be_cleaned(workspace));
}

TEST_CASE("two results of one name are not written one over the other", "[output]") {
    const Workspace workspace;
    const std::string stages = R"toml(
[stage.one]
from = "host"
run = ["sh", "-c", "echo 1 > /out/x"]
out = { x = "x" }

[stage.two]
from = "host"
run = ["sh", "-c", "echo 2 > /out/NAME"]
out = { x = "NAME" }

[result]
first = "one.x"
second = "two.x"
)toml";
    const auto named = [&](const std::string& name) {
        std::string text = stages;
        for (std::size_t at = text.find("NAME"); at != std::string::npos; at = text.find("NAME"))
            text.replace(at, 4, name);
        workspace.pipeline(text);
        return workspace.build({"--output", workspace.path() + "/results"});
    };
    const Result refused = named("x");
    INFO(refused.err);
    CHECK(refused.code != 0);
    CHECK(says(refused, "the results first and second would both be"));
    CHECK_FALSE(fs::exists(workspace.path() + "/results/x"));
    CHECK(named("y").code == 0);
    CHECK(content_of(workspace.path() + "/results/x") == "1\n");
    CHECK(content_of(workspace.path() + "/results/y") == "2\n");
}
