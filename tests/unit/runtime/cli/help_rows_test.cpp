// The help of the commands that read their words themselves.
#include "runtime/cli/help_rows.hpp"

#include <algorithm>

#include "runtime/cli/run/help.hpp"
#include "runtime/cli/run/options.hpp"
#include "tests/support/catch.hpp"

using runtime::cli::Contract;
using runtime::cli::count_words;
using runtime::cli::help_of_rows;
using runtime::cli::HelpRow;
using runtime::cli::option_rows;

namespace {

std::size_t longest_line(std::string_view text) {
    std::size_t longest = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        longest = std::max(longest, end);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return longest;
}

}  // namespace

TEST_CASE("help rows: a name, its values, and what it does in a column of its own", "[command]") {
    CHECK(help_of_rows({{"--bind", "SRC DEST", "Show SRC, writable"}}) ==
          "  --bind SRC DEST        Show SRC, writable\n");
    CHECK(help_of_rows({{"--a-name-that-fills-up", "", "Text"}}) == "  --a-name-that-fills-up Text\n");
    CHECK(help_of_rows({{"--a-name-that-fills-all", "", "Text"}}) ==
          "  --a-name-that-fills-all\n                         Text\n");
    CHECK(help_of_rows({}).empty());
}

TEST_CASE("help rows: those that say the same stand together, those that say nothing are left out", "[command]") {
    CHECK(help_of_rows(
              {{"--uid", "ID", "Which"}, {"--other", "", "Other"}, {"--gid", "ID", "Which"}, {"--no", "", ""}}) ==
          "  --uid, --gid ID        Which\n  --other                Other\n");
    // The same words, but not the same values.
    CHECK(help_of_rows({{"--a", "ID", "Which"}, {"--b", "", "Which"}}) ==
          "  --a ID                 Which\n  --b                    Which\n");
}

TEST_CASE("help rows: lines are at most 120 columns wide", "[command]") {
    std::string doc;
    for (int i = 0; i < 60; ++i) doc += "word ";
    std::vector<std::string> names;
    for (int i = 10; i < 60; ++i) names.push_back("--name-" + std::to_string(i));
    std::vector<HelpRow> rows;
    for (const std::string& name : names) rows.push_back({name, "", doc});
    const std::string text = help_of_rows(rows);
    CHECK(longest_line(text) <= 120);
    CHECK(text.find("\n  --name-") != std::string::npos);
    CHECK(text.find("\n                         word") != std::string::npos);
    CHECK(text.find(" \n") == std::string::npos);
}

TEST_CASE("help rows: words are counted", "[command]") {
    CHECK(count_words("") == 0);
    CHECK(count_words("FD") == 1);
    CHECK(count_words("RWSRC WORKDIR DEST") == 3);
}

TEST_CASE("the help of run and of bwrap names each option once, and says something of it", "[command][run]") {
    for (const Contract contract : {Contract::stagebox, Contract::bubblewrap}) {
        std::vector<HelpRow> rows = option_rows(contract);
        const std::string help = contract == Contract::stagebox ? runtime::cli::run_help() : runtime::cli::bwrap_help();
        CHECK(longest_line(help) <= 120);
        for (const HelpRow& row : rows) {
            INFO(row.name);
            CHECK(std::ranges::count(rows, row.name, &HelpRow::name) == 1);
            CHECK((help.find(std::string(row.name)) != std::string::npos || row.doc.empty()));
            // Under bwrap's name nothing is refused.
            CHECK((!row.doc.empty() || contract == Contract::stagebox));
        }
    }
}

TEST_CASE("what run refuses is not in its help, and what is stagebox's own is not in bwrap's", "[command][run]") {
    CHECK(runtime::cli::run_help().find("--userns") == std::string::npos);
    CHECK(runtime::cli::bwrap_help().find("--userns-block-fd FD") != std::string::npos);
    CHECK(runtime::cli::bwrap_help().find("--profile") == std::string::npos);
    CHECK(runtime::cli::run_help().find("  -h, --help             This text\n") != std::string::npos);
    CHECK(runtime::cli::bwrap_help().find("  --help                 This text\n") != std::string::npos);
    CHECK(runtime::cli::run_help().find("--clearenv             Remove all (the default)\n") != std::string::npos);
    CHECK(runtime::cli::bwrap_help().find("--clearenv             Remove all\n") != std::string::npos);
}
