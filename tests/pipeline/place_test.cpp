// A build that is started below its pipeline file, and one whose inputs come from above it.
#include <unistd.h>

#include <filesystem>

#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;

namespace fs = std::filesystem;

namespace {

// In a directory, without --file.
Result build_from(const Workspace& workspace, const std::string& directory, std::vector<std::string> words = {}) {
    words.insert(words.begin(), {stagebox_program(), "build", "--store", workspace.store()});
    Start start{.argv = std::move(words)};
    start.env["HOME"] = workspace.path();
    start.in_child = [&directory] {
        if (::chdir(directory.c_str()) != 0) ::_exit(99);
    };
    return run(start);
}

}  // namespace

TEST_CASE("a build that is told no file takes the nearest one above, and says which", "[place]") {
    const Workspace workspace;
    const std::string deep = workspace.project() + "/src/deep";
    fs::create_directories(deep);
    const Result none = build_from(workspace, deep);
    CHECK(none.code == 2);
    CHECK(says(none, "stagebox.toml: error: there is no such file, here or above: " + workspace.path() +
                         " is the home directory\n  help: -f names another one"));
    CHECK_FALSE(fs::exists(workspace.store()));

    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"false\"]\n");
    const Result built = build_from(workspace, deep);
    INFO(built.err);
    CHECK(built.code == 1);
    CHECK(built.err.starts_with("the pipeline file is " + workspace.project() + "/stagebox.toml\n"));
    // The way on leads to the same file.
    CHECK(says(built, "stagebox explain -f ../../stagebox.toml "));
    CHECK_FALSE(says(workspace.build(), "the pipeline file is"));

    const std::string home_file = workspace.path() + "/stagebox.toml";
    fs::rename(workspace.project() + "/stagebox.toml", home_file);
    CHECK(build_from(workspace, deep).code == 2);
    CHECK(build_from(workspace, workspace.path()).code == 1);
}

TEST_CASE("inputs come from the project, and above its work tree only where that is granted", "[place][consent]") {
    const Workspace workspace;
    workspace.write("repo/ci/build.sh", "#!/bin/sh\ncat /in/x\n");
    workspace.write("repo/x", "of the work tree\n");
    workspace.write("x", "of what is above\n");
    workspace.write("repo/.git/HEAD", "ref: refs/heads/main\n");
    const auto build = [&](const std::string& project, const std::vector<std::string>& words = {}) {
        workspace.write("repo/ci/stagebox.toml", "version = 1\nname = \"test\"\nproject = \"" + project +
                                                     "\"\n[stage.a]\nfrom = \"host\"\nscript = \"build.sh\"\n"
                                                     "in = { \"/in/x\" = \"./x\" }\n");
        return build_from(workspace, workspace.project() + "/repo/ci", words);
    };
    const Result inside = build("..");
    INFO(inside.err);
    CHECK(inside.code == 0);
    CHECK(says(inside, "a | of the work tree"));

    const Result refused = build("../..");
    CHECK(refused.code == 2);
    CHECK(says(refused,
               "asks for files-outside: files outside the git work tree of the pipeline file, by the pipeline\n"));
    CHECK(says(refused, "--allow files-outside"));
    CHECK_FALSE(says(refused, "of what is above"));
    const Result granted = build("../..", {"--allow", "files-outside"});
    INFO(granted.err);
    CHECK(granted.code == 0);
    CHECK(says(granted, "a | of what is above"));

    // A `.git` that is nearer is the top.
    workspace.write("repo/ci/.git", "gitdir: ../.git/modules/ci\n");
    CHECK(build("..").code == 2);
    // A link in the project leads no further than itself.
    fs::remove(workspace.project() + "/repo/ci/.git");
    fs::remove(workspace.project() + "/repo/x");
    fs::create_symlink("../x", workspace.project() + "/repo/x");
    const Result link = build("..");
    CHECK(link.code == 2);
    CHECK(says(link, "the input \"./x\" leads out of the project's directory through a symbolic link"));
}
