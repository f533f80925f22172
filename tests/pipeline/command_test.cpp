// The commands beside build: check, plan, doctor; what is wrong with a command line; where results go.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>

#include "sandbox/os/json.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view results_pipeline = R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "echo text > /out/file.txt; mkdir -p /out/deep/tree/sub; echo x > /out/deep/tree/sub/x; chmod 755 /out/file.txt"]
out = { file = "file.txt", tree = "deep/tree" }
[result]
text = "a.file"
files = "a.tree"
)toml";

// What differs from one machine or test to the next: where the store and the project are, digests, the ids of
// the user, limits of the caller, the length of the filter (libseccomp's).
std::string without_places(std::string plan, const Workspace& workspace) {
    for (const auto& [text, word] : {std::pair{workspace.store() + "/v2", std::string("STORE")},
                                     std::pair{workspace.project(), std::string("PROJECT")}}) {
        for (std::size_t at = plan.find(text); at != std::string::npos; at = plan.find(text))
            plan.replace(at, text.size(), word);
    }
    plan = std::regex_replace(plan, std::regex("[0-9a-f]{64}"), "DIGEST");
    plan = std::regex_replace(plan, std::regex("uid 0 is [0-9]+ outside, gid 0 is [0-9]+"),
                              "uid 0 is U outside, gid 0 is G");
    plan = std::regex_replace(plan, std::regex("limit ([0-9]+) to ([0-9]+) \\(hard [0-9]+\\)"), "limit $1 to $2");
    return std::regex_replace(plan, std::regex("a filter of [0-9]+"), "a filter of N");
}

void compare_with_golden(const std::string& name, const std::string& text) {
    const std::string file = std::string(STAGEBOX_SOURCE_DIR) + "/tests/golden/" + name;
    if (std::getenv("STAGEBOX_REGENERATE_GOLDEN") != nullptr) {
        std::ofstream(file, std::ios::binary) << text;
        FAIL_CHECK("the golden plan was written anew: read the difference, then run without the variable");
        return;
    }
    CHECK(text == content_of(file));
}

}  // namespace

TEST_CASE("results are written where --output says, as the user's own", "[command]") {
    const Workspace workspace;
    workspace.pipeline(results_pipeline);
    const std::string output = workspace.path() + "/new/results";
    const Result built = workspace.build({"--output", output});
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(built.out.empty());
    CHECK(content_of(output + "/file.txt") == "text\n");
    CHECK(content_of(output + "/tree/sub/x") == "x\n");
    CHECK(fs::status(output + "/file.txt").permissions() == fs::perms(0755));
    CHECK(says(built, "text: " + output + "/file.txt"));
    // Once more, over what is there; nothing of the two writings stays beside it.
    std::ofstream(output + "/file.txt") << "changed";
    fs::remove_all(output + "/tree");
    CHECK(workspace.build({"--output", output}).code == 0);
    CHECK(content_of(output + "/file.txt") == "text\n");
    CHECK(std::distance(fs::directory_iterator(output), {}) == 2);
    CHECK(has_clean_receipt(built));
}

TEST_CASE("without --output the places of the results are said", "[command]") {
    const Workspace workspace;
    workspace.pipeline(results_pipeline);
    const Result built = workspace.build();
    REQUIRE(built.code == 0);
    CHECK(built.out ==
          "text " + workspace.artifact_of("a", "file") + "\nfiles " + workspace.artifact_of("a", "tree") + "\n");
}

TEST_CASE("what is wrong with the command line or the pipeline file is 2", "[command]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nform = \"host\"\nrun = [\"true\"]\n");
    const Result wrong = workspace.build();
    CHECK(wrong.code == 2);
    CHECK(says(wrong, "stagebox.toml:4:1: error: unknown key \"form\" in stage.a"));
    CHECK(says(wrong, "did you mean \"from\"?"));
    CHECK(run({.argv = {stagebox_program(), "check", "-f", workspace.project() + "/stagebox.toml"}}).code == 2);
    CHECK(workspace.run({"plan", "a"}).code == 2);
    CHECK_FALSE(fs::exists(workspace.store()));

    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    CHECK(workspace.build({"nowhere"}).code == 2);
    CHECK(says(workspace.build({"nowhere"}), "no stage is called \"nowhere\""));
    CHECK(workspace.build({"--refresh", "nowhere"}).code == 2);
    CHECK(workspace.build({"--no-such-option"}).code == 2);
    CHECK(workspace.build({"--var", "no-equals-sign"}).code == 2);
    CHECK(workspace.run({"plan", "nowhere"}).code == 2);
    CHECK(run({.argv = {stagebox_program()}}).code == 2);
    CHECK(run({.argv = {stagebox_program(), "no-such-command"}}).code == 2);
    const Result missing = run({.argv = {stagebox_program(), "build", "-f", workspace.path() + "/nothing.toml"}});
    CHECK(missing.code == 2);
    CHECK(says(missing, "nothing.toml: error: there is no such file"));
    CHECK(says(missing, "-f names another one"));
    for (const char* command :
         {"build", "run", "shell", "check", "plan", "status", "log", "attach", "store", "doctor"}) {
        INFO(command);
        const Result help = run({.argv = {stagebox_program(), command, "--help"}});
        CHECK(help.code == 0);
        CHECK_FALSE(help.out.empty());
    }
}

TEST_CASE("an unknown word of the command line is told with what may have been meant", "[command]") {
    const struct {
        std::vector<std::string> words;
        std::string told;
    } rows[] = {
        {{"biuld"}, "stagebox has no command \"biuld\": did you mean \"build\"?\nsee stagebox --help"},
        {{"report"}, "stagebox has no command \"report\": it is called \"receipt\" now\nsee stagebox --help"},
        {{"report", "--json"}, "stagebox has no command \"report\": it is called \"receipt\" now\nsee stagebox --help"},
        {{"help", "biuld"}, "stagebox has no command \"biuld\": did you mean \"build\"?\nsee stagebox --help"},
        {{"help", "store", "gcc"},
         "stagebox store has no command \"gcc\": did you mean \"gc\"?\nsee stagebox store --help"},
        {{"help", "plan", "a"}, "\"a\" is one word too many for stagebox plan\nsee stagebox plan --help"},
        {{"help", "--json"}, "stagebox help has no option \"--json\"\nsee stagebox help --help"},
        {{"profile", "larn"},
         "stagebox profile has no command \"larn\": did you mean \"learn\"?\nsee stagebox profile --help"},
        {{"profile", "show"}, "PROFILE is required\nsee stagebox profile show --help"},
        {{"profile", "learn"}, "there is no command to learn from"},
        {{"profile", "learn", "-o"}, "-o lacks a value"},
        {{"build", "--var", "x"}, "--var: \"x\" is not of the form NAME=VALUE\nsee stagebox build --help"},
        {{"frobnicate"}, "stagebox has no command \"frobnicate\"\nsee stagebox --help"},
        {{"store", "chekc"},
         "stagebox store has no command \"chekc\": did you mean \"check\"?\nsee stagebox store --help"},
        {{"build", "--stor=/x"},
         "stagebox build has no option \"--stor\": did you mean \"--store\"?\nsee stagebox build --help"},
        {{"log", "--usge", "a"},
         "stagebox log has no option \"--usge\": did you mean \"--usage\"?\nsee stagebox log --help"},
        {{"plan", "-x", "a"}, "stagebox plan has no option \"-x\"\nsee stagebox plan --help"},
        {{"explain", "a", "b"}, "\"b\" is one word too many for stagebox explain\nsee stagebox explain --help"},
        {{"plan"}, "STAGE is required\nsee stagebox plan --help"},
        {{"build", "--jobs", "x"}, "--jobs: \"x\" is not a whole number\nsee stagebox build --help"},
        {{"store", "gc", "--days=-1"}, "--days: \"-1\" is not a whole number\nsee stagebox store gc --help"},
        {{"build", "a\x1b[31m", "--nowhere\x1b"},
         "stagebox build has no option \"--nowhere\\u001B\"\nsee stagebox build --help"},
    };
    const auto stagebox = [](std::vector<std::string> words) {
        words.insert(words.begin(), stagebox_program());
        return run({.argv = std::move(words)});
    };
    for (const auto& row : rows) {
        const Result wrong = stagebox(row.words);
        INFO(wrong.err);
        CHECK(wrong.code == 2);
        CHECK(wrong.out.empty());
        CHECK(wrong.err == "error: " + row.told + "\n");
    }
    // Nothing but a command is missing: those that there are.
    for (const auto& words : std::vector<std::vector<std::string>>{{}, {"store"}, {"session"}, {"profile"}}) {
        const Result bare = stagebox(words);
        CHECK(bare.code == 2);
        CHECK(says(bare, "Subcommands:"));
    }
}

TEST_CASE("help prints what a command's --help prints", "[command]") {
    const auto stagebox = [](std::vector<std::string> words) {
        words.insert(words.begin(), stagebox_program());
        return run({.argv = std::move(words)});
    };
    const std::vector<std::string> commands[] = {
        {},          {"build"}, {"run"},         {"profile"},        {"profile", "learn"}, {"shell"},
        {"status"},  {"store"}, {"store", "gc"}, {"store", "check"}, {"session", "check"}, {"receipt"},
        {"explain"}, {"help"},  {"session"},     {"import"},         {"profile", "show"},  {"doctor"}};
    for (const std::vector<std::string>& command : commands) {
        std::vector<std::string> asked{"help"};
        asked.insert(asked.end(), command.begin(), command.end());
        std::vector<std::string> optioned = command;
        optioned.emplace_back("--help");
        const Result help = stagebox(asked);
        INFO(help.out << help.err);
        CHECK(help.code == 0);
        CHECK(help.err.empty());
        CHECK_FALSE(help.out.empty());
        CHECK(help.out == stagebox(optioned).out);
    }
    CHECK(says(stagebox({"help", "store", "gc"}), "--days"));
    CHECK(says(stagebox({"help", "store", "gc"}), "Usage: stagebox store gc [OPTIONS]"));
    CHECK(says(stagebox({"help"}), "\n  receipt "));
    CHECK_FALSE(says(stagebox({"help"}), "report"));
}

TEST_CASE("SOURCE_DATE_EPOCH that is no time is told with the stage's line", "[command]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\nenv = { SOURCE_DATE_EPOCH = \"yesterday\" }\n");
    const Result wrong = workspace.build();
    CHECK(wrong.code == 2);
    CHECK(says(wrong, "stagebox.toml:3:"));
    CHECK(says(wrong, "SOURCE_DATE_EPOCH is \"yesterday\""));
}

TEST_CASE("check validates and runs nothing", "[command]") {
    const Workspace workspace;
    workspace.pipeline(results_pipeline);
    const Result checked = run({.argv = {stagebox_program(), "check", "-f", workspace.project() + "/stagebox.toml"}});
    CHECK(checked.code == 0);
    CHECK(says(checked, "1 stage, 2 results: valid"));
    CHECK_FALSE(fs::exists(workspace.store()));
}

TEST_CASE("plan prints the operations of a stage's jail", "[command][golden]") {
    const Workspace workspace;
    workspace.write("input/file", "input\n");
    workspace.write("build.sh", "#!/bin/sh\n");
    workspace.pipeline(R"toml(
[stage.bare]
from = "empty"
in = { "/in/input" = "./input" }
run = ["/in/input/program", "with", "arguments"]
[stage.layered]
from = "empty"
network = "host"
run = ["true"]
[stage.script]
from = "layered"
in = { "/in/tree" = "bare", "/in/file" = "maker.file" }
env = { WORD = "shown" }
script = "build.sh"
[stage.maker]
from = "empty"
run = ["true"]
out = { file = "file" }
)toml");
    for (const std::string stage : {"bare", "script"}) {
        const Result printed = workspace.run({"plan", stage});
        INFO(printed.err);
        REQUIRE(printed.code == 0);
        compare_with_golden("plan-" + stage + ".txt", without_places(printed.out, workspace));
    }
    CHECK(workspace.names_in("staging").empty());
}

TEST_CASE("doctor says whether jails can be made here", "[command]") {
    const Workspace workspace;
    const Result text = run({.argv = {stagebox_program(), "doctor", "--store", workspace.store()}});
    const Result json = run({.argv = {stagebox_program(), "doctor", "--json", "--store", workspace.store()}});
    INFO(text.out << text.err);
    // Every other test of this suite makes jails.
    CHECK(text.code == 0);
    CHECK(json.code == 0);
    const auto findings = sandbox::os::Json::parse(json.out);
    CHECK(findings.at("usable") == true);
    CHECK(findings.at("findings").size() > 3);
    for (const auto& finding : findings.at("findings")) {
        INFO(finding.dump());
        CHECK_FALSE(finding.at("name").get<std::string>().empty());
        CHECK(finding.contains("status"));
        CHECK(finding.contains("remedy"));
    }
}

TEST_CASE("doctor names the program that reads shell scripts, and its package where it is missing", "[command]") {
    const std::string doctor = "exec " + stagebox_program() + " doctor";
    const Result here = run({.argv = {"/bin/sh", "-c", doctor}});
    INFO(here.out << here.err);
    CHECK(says(here, "shell scripts  "));
    CHECK(says(here, "/usr/bin/shfmt reads them"));
    const Result without = run({.argv = {"/usr/bin/unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c",
                                         "mount --bind /dev/null /usr/bin/shfmt && " + doctor}});
    INFO(without.out << without.err);
    CHECK(says(without, "shfmt is not in /usr/bin"));
    CHECK(says(without, " sudo apt-get install shfmt\n"));
}
