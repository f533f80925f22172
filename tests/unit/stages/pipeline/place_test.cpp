// Where a pipeline file is looked for, and how far up its project may reach.
#include "stages/pipeline/place.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "stages/pipeline/pipeline_file.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using namespace stages;

namespace {

namespace fs = std::filesystem;

// Sets HOME and the working directory, and puts both back.
class Place {
  public:
    Place() : directory_(fs::current_path()) {
        if (const char* home = std::getenv("HOME")) home_ = home;
        set_home("/nonexistent");
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        fs::current_path(directory_);
        if (home_) {
            ::setenv("HOME", home_->c_str(), 1);
        } else {
            ::unsetenv("HOME");
        }
    }
    static void set_home(const std::string& path) { ::setenv("HOME", path.c_str(), 1); }
    static void stand_in(const fs::path& path) { fs::current_path(path); }

  private:
    fs::path directory_;
    std::optional<std::string> home_;
};

void touch(const fs::path& path) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "";
}

constexpr const char* stage = "[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n";

// In TOP/repo/ci/stagebox.toml.
struct Tree {
    Tree() : top(fs::canonical(directory.path())) { fs::create_directories(top / "repo" / "ci"); }
    Pipeline read(const std::string& lines) const {
        std::ofstream(top / "repo/ci/stagebox.toml") << "version = 1\nname = \"x\"\n" << lines << stage;
        return read_pipeline((top / "repo/ci/stagebox.toml").string(), {}, "stagebox.toml");
    }
    tests::TemporaryDirectory directory;
    fs::path top;
};

}  // namespace

TEST_CASE("the pipeline file is looked for here and above", "[pipeline][place]") {
    const Place place;
    const Tree tree;
    const fs::path below = tree.top / "repo/ci/deep";
    fs::create_directories(below);
    place.stand_in(below);
    touch(tree.top / "repo/stagebox.toml");
    CHECK(look_for_pipeline_file().path == "../../stagebox.toml");
    touch(tree.top / "repo/ci/stagebox.toml");
    CHECK(look_for_pipeline_file().path == "../stagebox.toml");
    touch(below / "stagebox.toml");
    CHECK(look_for_pipeline_file().path == "stagebox.toml");
}

TEST_CASE("the search ends below the home directory, and looks in it from itself only", "[pipeline][place]") {
    const Place place;
    const Tree tree;
    touch(tree.top / "stagebox.toml");
    touch(tree.top / "repo/stagebox.toml");
    place.set_home((tree.top / "repo").string());
    place.stand_in(tree.top / "repo/ci");
    const FoundFile none = look_for_pipeline_file();
    CHECK(none.path.empty());
    CHECK(none.stopped == (tree.top / "repo").string() + " is the home directory");
    place.stand_in(tree.top / "repo");
    CHECK(look_for_pipeline_file().path == "stagebox.toml");
    fs::remove(tree.top / "repo/stagebox.toml");
    CHECK(look_for_pipeline_file().path.empty());
    // A home that is named through a link is the same one.
    fs::create_directory_symlink(tree.top / "repo", tree.top / "link");
    touch(tree.top / "repo/stagebox.toml");
    place.set_home((tree.top / "link").string());
    place.stand_in(tree.top / "repo/ci");
    CHECK(look_for_pipeline_file().path.empty());
}

TEST_CASE("the search ends at another owner and at the edge of a file system", "[pipeline][place]") {
    const Place place;
    const Tree tree;
    place.stand_in("/proc");
    CHECK(look_for_pipeline_file().stopped == "/ is on another file system");
    if (::geteuid() != 0) {
        // The directory of temporary files is root's.
        place.stand_in(tree.top);
        CHECK(look_for_pipeline_file().stopped == tree.top.parent_path().string() + " is of another owner");
        return;
    }
    touch(tree.top / "repo/stagebox.toml");
    place.stand_in(tree.top / "repo/ci");
    CHECK(look_for_pipeline_file().path == "../stagebox.toml");
    REQUIRE(::chown((tree.top / "repo/stagebox.toml").c_str(), 1, 1) == 0);
    CHECK(look_for_pipeline_file().stopped == (tree.top / "repo/stagebox.toml").string() + " is of another owner");
    REQUIRE(::chown((tree.top / "repo/stagebox.toml").c_str(), 0, 0) == 0);
    REQUIRE(::chown((tree.top / "repo").c_str(), 1, 1) == 0);
    CHECK(look_for_pipeline_file().stopped == (tree.top / "repo").string() + " is of another owner");
    CHECK(look_for_pipeline_file().path.empty());
}

TEST_CASE("the project reaches up to the top of the git work tree, and further only as a permission",
          "[pipeline][place]") {
    const Place place;
    const Tree tree;
    CHECK(tree.read("").project == (tree.top / "repo/ci").string());
    CHECK_FALSE(tree.read("").is_project_outside);
    // Without a work tree, every step up leads outside.
    CHECK(tree.read("project = \"..\"\n").is_project_outside);

    fs::create_directories(tree.top / "repo/.git");
    const Pipeline up = tree.read("project = \"..\"\n");
    CHECK(up.directory == (tree.top / "repo/ci").string());
    CHECK(up.project == (tree.top / "repo").string());
    CHECK_FALSE(up.is_project_outside);
    const Pipeline further = tree.read("project = \"../..\"\n");
    CHECK(further.project == tree.top.string());
    CHECK(further.is_project_outside);
    std::string ups = "..";
    for (int i = 0; i < 100; ++i) ups += "/..";
    CHECK_THROWS_WITH(tree.read("project = \"" + ups + "\"\n"), Catch::Contains("there are not so many directories"));
    for (const std::string wrong : {"", ".", "../", "..//..", "../x", "...", "/"}) {
        CHECK_THROWS_WITH(tree.read("project = \"" + wrong + "\"\n"), Catch::Contains("the project cannot be"));
    }
}

TEST_CASE("a .git of whatever type is the top, and the nearest one counts", "[pipeline][place]") {
    const Place place;
    const Tree tree;
    fs::create_directories(tree.top / ".git");
    CHECK_FALSE(tree.read("project = \"../..\"\n").is_project_outside);
    SECTION("a file, as a submodule has it") {
        std::ofstream(tree.top / "repo/.git") << "gitdir: ../.git/modules/repo\n";
        CHECK(tree.read("project = \"../..\"\n").is_project_outside);
        CHECK_FALSE(tree.read("project = \"..\"\n").is_project_outside);
    }
    SECTION("a link, also one that leads nowhere") {
        fs::create_symlink("/nonexistent", tree.top / "repo/.git");
        CHECK(tree.read("project = \"../..\"\n").is_project_outside);
    }
    SECTION("nested, beside the pipeline file") {
        fs::create_directories(tree.top / "repo/ci/.git");
        CHECK(tree.read("project = \"..\"\n").is_project_outside);
    }
}

TEST_CASE("a pipeline file that is reached by a link belongs where it really lies", "[pipeline][place]") {
    const Place place;
    const Tree tree;
    fs::create_directories(tree.top / "other/.git");
    fs::create_directory_symlink(tree.top / "repo/ci", tree.top / "other/ci");
    tree.read("project = \"..\"\n");
    const Pipeline linked = read_pipeline((tree.top / "other/ci/stagebox.toml").string());
    CHECK(linked.project == (tree.top / "repo").string());
    CHECK(linked.is_project_outside);
}

TEST_CASE("a work tree is not looked for beyond the home directory or in it", "[pipeline][place]") {
    const Place place;
    const Tree tree;
    fs::create_directories(tree.top / ".git");
    place.set_home(tree.top.string());
    CHECK(tree.read("project = \"../..\"\n").is_project_outside);
    CHECK(tree.read("project = \"..\"\n").is_project_outside);
    place.set_home((tree.top / "repo").string());
    CHECK(tree.read("project = \"../..\"\n").is_project_outside);
    if (::geteuid() != 0) return;
    place.set_home("/nonexistent");
    REQUIRE(::chown(tree.top.c_str(), 1, 1) == 0);
    CHECK(tree.read("project = \"../..\"\n").is_project_outside);
}

TEST_CASE("inputs come from the project, scripts from beside the file, and neither leaves its place",
          "[pipeline][place]") {
    const Place place;
    const Tree tree;
    fs::create_directories(tree.top / "repo/.git");
    touch(tree.top / "repo/src");
    std::ofstream(tree.top / "repo/ci/build.sh") << "#!/bin/sh\n";
    const auto read = [&](const std::string& input, const std::string& script) {
        std::ofstream(tree.top / "repo/ci/stagebox.toml")
            << "version = 1\nname = \"x\"\nproject = \"..\"\n[stage.a]\nfrom = \"host\"\nin = { \"/in/x\" = \"" << input
            << "\" }\nscript = \"" << script << "\"\n";
        return read_pipeline((tree.top / "repo/ci/stagebox.toml").string(), {}, "stagebox.toml");
    };
    CHECK(std::get<LocalPath>(read("./src", "build.sh").stages.at(0).inputs.at(0).source).path == "src");
    CHECK_NOTHROW(read("./ci/build.sh", "build.sh"));
    CHECK_THROWS_WITH(read("./build.sh", "build.sh"), Catch::Contains("the input \"./build.sh\" does not exist"));
    CHECK_THROWS_WITH(read("./src", "ci/build.sh"), Catch::Contains("does not exist"));
    fs::create_symlink("../outside", tree.top / "repo/way");
    touch(tree.top / "outside");
    CHECK_THROWS_WITH(read("./way", "build.sh"), Catch::Contains("leads out of the project's directory"));
    fs::create_symlink("../src", tree.top / "repo/ci/way.sh");
    CHECK_THROWS_WITH(read("./src", "way.sh"), Catch::Contains("leads out of the pipeline's directory"));
}
