// From words to a command that has been told its options, by a small vocabulary.
#include "runtime/cli/parse.hpp"

#include "tests/support/catch.hpp"

using namespace runtime::cli;

namespace {

struct Told {
    std::string name;
    std::vector<std::string> more;
    std::string level = "low";
    std::vector<std::string> tags;
    unsigned count = 1;
    bool is_loud = false;
    bool is_quiet = false;
    OutputFormat format = OutputFormat::text;
};

std::string check_tag(const std::string& text) {
    return text == "bad" ? "it is bad" : "";
}

void declare(Options& options, Told& told) {
    options.push_back({.names = "NAME", .into = &told.name, .doc = "The name", .is_required = true});
    options.push_back({.names = "MORE", .into = &told.more, .doc = "More"});
    options.push_back(
        {.names = "-l,--level", .into = &told.level, .doc = "How", .type = "WORD", .shown_default = "low"});
    options.push_back({.names = "--tag", .into = &told.tags, .doc = "A tag", .type = "TAG", .check = check_tag});
    options.push_back({.names = "--count", .into = &told.count, .doc = "How many", .check = check_whole_number});
    options.push_back({.names = "--loud", .into = sets(told.is_loud, true), .doc = "Loud"});
    options.push_back({.names = "--quiet", .into = sets(told.is_quiet, true), .doc = "Quiet", .excludes = "--loud"});
    declare_json(options, told.format, "--loud");
}

// As it was told when it ran.
Told told;  // NOLINT(cert-err58-cpp): an empty value

int run(const Told& words) {
    told = words;
    return 7;
}

int run_own(const std::vector<std::string>& words) {
    return static_cast<int>(words.size());
}

std::string own_help() {
    return "the help of its own\n";
}

Vocabulary vocabulary() {
    return {.commands = {make_command<Told>("make", "Makes"),
                         make_command<Told>("house keep", "Keeps"),
                         {.name = "house own", .doc = "Reads", .how = OwnReader{.run = run_own, .help = own_help}}},
            .groups = {{"house", "About the house"}},
            .former_names = {{"produce", "make"}}};
}

// What is wrong with these words.
std::string problem_of(const std::vector<std::string>& words) {
    const Vocabulary known = vocabulary();
    const Parsed parsed = parse(known, words);
    const auto* wrong = std::get_if<Wrong>(&parsed);
    return wrong == nullptr ? "nothing" : wrong->problem;
}

std::string answer_to(const std::vector<std::string>& words) {
    const Vocabulary known = vocabulary();
    const Parsed parsed = parse(known, words);
    const auto* answer = std::get_if<Answer>(&parsed);
    return answer == nullptr ? "none" : answer->text;
}

// The command's name, after it has run.
std::string ran(const std::vector<std::string>& words) {
    const Vocabulary known = vocabulary();
    const Parsed parsed = parse(known, words);
    const Command* command = std::get<const Command*>(parsed);
    REQUIRE(std::get<Declared>(command->how).run() == 7);
    return command->name;
}

}  // namespace

TEST_CASE("parse: values go where the table says", "[command]") {
    CHECK(ran({"make", "n", "--tag", "one", "--level=high", "a", "b", "--tag", "two", "--count", "3", "--loud",
               "--json"}) == "make");
    CHECK(told.name == "n");
    CHECK(told.more == std::vector<std::string>{"a", "b"});
    CHECK(told.level == "high");
    CHECK(told.tags == std::vector<std::string>{"one", "two"});
    CHECK(told.count == 3);
    CHECK(told.is_loud);
    CHECK_FALSE(told.is_quiet);
    CHECK(told.format == OutputFormat::json);
}

TEST_CASE("parse: what is not given keeps its default", "[command]") {
    CHECK(ran({"house", "keep", "n"}) == "house keep");
    CHECK(told.level == "low");
    CHECK(told.count == 1);
    CHECK(told.tags.empty());
    CHECK_FALSE(told.is_loud);
    CHECK(told.format == OutputFormat::text);
}

TEST_CASE("parse: the help names the rows of the table", "[command]") {
    const std::string help = answer_to({"make", "--help"});
    CHECK(help.find("-l,--level WORD=low") != std::string::npos);
    CHECK(help.find("How many") != std::string::npos);
    CHECK(help.find("Usage: stagebox make") != std::string::npos);
    CHECK(answer_to({"help", "make"}) == help);
    CHECK(answer_to({"help", "house", "keep"}) == answer_to({"house", "keep", "--help"}));
    CHECK(answer_to({"help", "house"}) == answer_to({"house", "--help"}));
    CHECK(answer_to({"help"}) == answer_to({"--help"}));
    CHECK(answer_to({"help"}).find("About the house") != std::string::npos);
    CHECK(answer_to({"help", "house", "own"}) == "the help of its own\n");
    CHECK(answer_to({"--version"}).ends_with("\n"));
}

TEST_CASE("parse: what is wrong is said with where to look", "[command]") {
    CHECK(problem_of({"make"}) == "NAME is required\nsee stagebox make --help");
    CHECK(problem_of({"make", "n", "--tag", "bad"}) == "--tag: it is bad\nsee stagebox make --help");
    CHECK(problem_of({"make", "n", "--count", "x"}) ==
          "--count: \"x\" is not a whole number\nsee stagebox make --help");
    CHECK(problem_of({"make", "n", "--quiet", "--loud"}).find("--loud") != std::string::npos);
    CHECK(problem_of({"make", "n", "--json"}).find("--loud") != std::string::npos);
    CHECK(problem_of({"produce"}) ==
          "stagebox has no command \"produce\": it is called \"make\" now\nsee stagebox --help");
    CHECK(problem_of({"house", "produce"}) == "stagebox house has no command \"produce\"\nsee stagebox house --help");
    CHECK(problem_of({"help", "hous"}) ==
          "stagebox has no command \"hous\": did you mean \"house\"?\nsee stagebox --help");
}

TEST_CASE("parse: where only a command is missing, the help says which there are", "[command]") {
    const Vocabulary known = vocabulary();
    const Parsed none = parse(known, {});
    REQUIRE(std::holds_alternative<Incomplete>(none));
    CHECK(std::get<Incomplete>(none).help.find("make") != std::string::npos);
    const Parsed group = parse(known, {"house"});
    REQUIRE(std::holds_alternative<Incomplete>(group));
    CHECK(std::get<Incomplete>(group).help.find("keep") != std::string::npos);
}
