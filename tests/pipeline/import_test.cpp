// `import` on real build scripts of Debian's packages, against lists that were made by reading them; what it writes;
// what `check` says of stage scripts. scripts/setup --test fetches the scripts.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
namespace fs = std::filesystem;
using sandbox::os::format;
using sandbox::os::Json;

namespace {

const std::string script_directory = "/usr/local/share/stagebox-tests/scripts";

std::vector<std::string> lines_of(const std::string& path) {
    std::vector<std::string> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

// Blanks at the ends taken away, and those inside made one.
std::string squeezed(const std::string& text) {
    std::istringstream words(text);
    std::string result;
    for (std::string word; words >> word;) result += (result.empty() ? "" : " ") + word;
    return result;
}

struct Listed {
    std::string rule;
    unsigned line = 0;
    std::string text;
    bool is_missed = false;
};

std::vector<Listed> read_list(const std::string& name) {
    std::vector<Listed> list;
    for (const std::string& line :
         lines_of(std::string(STAGEBOX_SOURCE_DIR) + "/tests/golden/import/" + name + ".txt")) {
        if (line.starts_with('#')) continue;
        std::istringstream words(line);
        Listed one;
        words >> one.rule;
        if (one.rule == "not") {
            one.is_missed = true;
            words >> one.rule;
        }
        words >> one.line;
        std::getline(words, one.text);
        one.text = squeezed(one.text);
        list.push_back(std::move(one));
    }
    return list;
}

std::multiset<std::string> findings_of(const std::string& script) {
    const Result told = run({.argv = {stagebox_program(), "import", "--dry-run", "--json", script}});
    INFO(told.err);
    REQUIRE(told.code == 0);
    std::multiset<std::string> all;
    const Json answer = Json::parse(told.out);
    for (const Json& one : answer.at("hazards")) {
        all.insert(format("{} {}", one.at("rule").get<std::string>(), one.at("line").get<unsigned>()));
    }
    return all;
}

Result import(const std::string& script, const std::string& output) {
    return run({.argv = {stagebox_program(), "import", "--output", output, script}});
}

}  // namespace

TEST_CASE("the hazards of real build scripts are those that a reader finds", "[import]") {
    const std::string name = GENERATE("grml-debootstrap", "build-openstack-debian-image", "debootstrap-functions",
                                      "live-build-exit.sh", "live-build-losetup.sh", "live-build-binary_rootfs");
    INFO(name);
    const std::string script = script_directory + "/" + name;
    if (!fs::exists(script)) return unavailable("the build script " + script + " (scripts/setup --test)");
    const std::vector<std::string> lines = lines_of(script);
    const std::vector<Listed> list = read_list(name);
    REQUIRE_FALSE(list.empty());
    std::multiset<std::string> expected;
    for (const Listed& one : list) {
        // Another version of the package: the list has to be made anew, and nothing is wrong with the program.
        const std::string here = one.line <= lines.size() ? squeezed(lines[one.line - 1]) : "(no such line)";
        if (here != one.text) {
            FAIL(
                format("{} is not the version that tests/golden/import/{}.txt was made from: line {} is there\n  "
                       "{}\nand here\n  {}",
                       script, name, one.line, one.text, here));
        }
        if (!one.is_missed) expected.insert(format("{} {}", one.rule, one.line));
    }
    const std::multiset<std::string> found = findings_of(script);
    std::vector<std::string> not_found;
    std::vector<std::string> not_listed;
    std::ranges::set_difference(expected, found, std::back_inserter(not_found));
    std::ranges::set_difference(found, expected, std::back_inserter(not_listed));
    const std::vector<std::string> none;
    CHECK(not_found == none);
    CHECK(not_listed == none);
}

TEST_CASE("a drafted pipeline is valid, its scripts are shell, and check has nothing to say of them", "[import]") {
    const auto [name, stages] = GENERATE(table<std::string, std::size_t>(
        {{"grml-debootstrap", 16}, {"build-openstack-debian-image", 11}, {"live-build-binary_rootfs", 1}}));
    INFO(name);
    const std::string script = script_directory + "/" + name;
    if (!fs::exists(script)) return unavailable("the build script " + script + " (scripts/setup --test)");
    const Workspace workspace;
    const std::string output = workspace.path() + "/draft";
    const Result written = import(script, output);
    INFO(written.err);
    REQUIRE(written.code == 0);
    const Result checked = run({.argv = {stagebox_program(), "check", "-f", output + "/stagebox.toml"}});
    INFO(checked.out << checked.err);
    CHECK(checked.code == 0);
    CHECK(says(checked, format("{} stage{}, 1 result: valid", stages, stages == 1 ? "" : "s")));
    CHECK_FALSE(says(checked, "warning"));
    for (const auto& file : fs::directory_iterator(output)) {
        if (file.path().extension() != ".sh") continue;
        INFO(file.path());
        CHECK(run({.argv = {"/bin/bash", "-n", file.path()}}).code == 0);
    }
    // A second time nothing is written over.
    fs::remove(output + "/common.sh");
    const Result again = import(script, output);
    CHECK(again.code == 2);
    CHECK(says(again, "stagebox.toml is there already"));
    CHECK_FALSE(fs::exists(output + "/common.sh"));
}

TEST_CASE("an imported build runs in stages, without what it did to the host", "[import]") {
    const Workspace workspace;
    workspace.write("old/lib/say.sh", "set -e\nsay() { echo \"old: $*\"; }\n");
    workspace.write("old/build.sh", R"sh(#!/bin/bash
# Builds a tree and packs it.
set -e
HERE=$(dirname "$0")
. "$HERE/lib/say.sh"
TREE=tree
trap 'umount -l "$TREE/dev"; rm -rf "$TREE"' EXIT

prepare() {
    say preparing
    mkdir -p "$TREE/dev"
    sudo mount --bind /dev "$TREE/dev"
    KIND=small
    echo made > "$TREE/made"
}
pack() {
    say packing
    sudo umount -l "$TREE/dev" || exit 1
    fuser -k "$TREE" || true
    tar -cf out.tar "$TREE"
    tar -tf out.tar | grep made > listing
    echo "$KIND" > kind
}
main() {
    local started=now
    prepare
    echo "$started" > when
    pack
}
main "$@"
)sh");
    const std::string output = workspace.path() + "/draft";
    const std::string old = workspace.project() + "/old/build.sh";
    const Result written = import(old, output);
    INFO(written.out << written.err);
    REQUIRE(written.code == 0);
    CHECK(says(written, old + ":7:1: clean-up-in-trap: trap"));
    CHECK(says(written, old + ":7:7: forced-unmount: umount -l \"$TREE/dev\""));
    CHECK(says(written, old + ":12:5: root-rights: sudo mount --bind /dev \"$TREE/dev\""));
    CHECK(says(written, old + ":12:10: bind-of-host-tree: mount --bind /dev \"$TREE/dev\""));
    CHECK(says(written, old + ":19:5: kill-by-mount: fuser -k \"$TREE\""));
    CHECK(says(written, "lib/say.sh:1:1: ends-its-reader: set -e"));
    CHECK(says(written, "2 stages, cut at the functions that it calls in order"));
    const std::string pipeline = content_of(output + "/stagebox.toml");
    CHECK(pipeline.find("[stage.prepare]") != std::string::npos);
    CHECK(pipeline.find("Set by an earlier phase, and not known here: KIND") != std::string::npos);
    CHECK(content_of(output + "/common.sh").find("#   12:10: mount --bind /dev \"$TREE/dev\"\n") != std::string::npos);

    const Result built = run({.argv = {stagebox_program(), "build", "-f", output + "/stagebox.toml", "--store",
                                       workspace.store(), "--output", workspace.path() + "/result"}});
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(says(built, "old: packing"));
    CHECK(content_of(workspace.path() + "/result/work/listing") == "tree/made\n");
    CHECK(content_of(workspace.path() + "/result/work/when") == "now\n");
    CHECK(has_clean_receipt(built));
}

TEST_CASE("what is no script, and what is not there, is 2", "[import]") {
    const Workspace workspace;
    workspace.write("broken.sh", "#!/bin/sh\nif true; then\n");
    const std::string broken = workspace.project() + "/broken.sh";
    const Result wrong = import(broken, workspace.path() + "/draft");
    CHECK(wrong.code == 2);
    CHECK(says(wrong, broken + ":2:1: error: the shell's grammar does not allow this"));
    CHECK_FALSE(fs::exists(workspace.path() + "/draft"));
    CHECK(import(workspace.project() + "/nothing.sh", workspace.path() + "/draft").code == 2);
    CHECK(import(workspace.project(), workspace.path() + "/draft").code == 2);
}

TEST_CASE("check names what a jail refuses, and not what it holds", "[import][command]") {
    const Workspace workspace;
    workspace.write("a.sh", "#!/bin/bash\nset -e\nmount -t tmpfs none /mnt\npkill -9 something\nchroot /tree true\n");
    workspace.pipeline(
        "[stage.a]\nfrom = \"host\"\nscript = \"a.sh\"\n"
        "[stage.b]\nfrom = \"host\"\nprofile = \"permissive\"\nscript = \"a.sh\"\n"
        "[stage.c]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"true\\nsystemctl restart gdm3; losetup -d x\"]\n");
    const Result checked = run({.argv = {stagebox_program(), "check", "-f", workspace.project() + "/stagebox.toml"}});
    INFO(checked.out << checked.err);
    CHECK(checked.code == 0);
    CHECK(says(checked, "a.sh:3:1: warning: stage a: mount: mount -t tmpfs none /mnt"));
    CHECK_FALSE(says(checked, "stage b: mount"));
    CHECK_FALSE(says(checked, "pkill"));
    CHECK_FALSE(says(checked, "chroot /tree"));
    CHECK(says(checked, "warning: stage c, line 2 of its command: service: systemctl restart gdm3"));
    CHECK(says(checked, "warning: stage c, line 2 of its command: block-device: losetup -d x"));
}
