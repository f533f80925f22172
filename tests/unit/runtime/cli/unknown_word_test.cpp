// What is said of a word that nothing takes.
#include "runtime/cli/unknown_word.hpp"

#include "tests/support/catch.hpp"

using runtime::cli::KnownWords;
using runtime::cli::unknown_word;

namespace {

KnownWords store_words() {
    return {.command = "stagebox store",
            .commands = {"ls", "gc", "check"},
            .former_names = {{"purge", "gc"}},
            .options = {"--store"}};
}

}  // namespace

TEST_CASE("unknown word: a command, with what may have been meant", "[command]") {
    CHECK(unknown_word(store_words(), "chekc") == "stagebox store has no command \"chekc\": did you mean \"check\"?");
    CHECK(unknown_word(store_words(), "frobnicate") == "stagebox store has no command \"frobnicate\"");
    CHECK(unknown_word(store_words(), "purge") == "stagebox store has no command \"purge\": it is called \"gc\" now");
}

TEST_CASE("unknown word: an option, without its value", "[command]") {
    CHECK(unknown_word(store_words(), "--stor=/x") ==
          "stagebox store has no option \"--stor\": did you mean \"--store\"?");
    CHECK(unknown_word(store_words(), "-x") == "stagebox store has no option \"-x\"");
}

TEST_CASE("unknown word: one too many, where no command can follow", "[command]") {
    CHECK(unknown_word({.command = "stagebox plan", .commands = {}, .former_names = {}, .options = {}}, "b") ==
          "\"b\" is one word too many for stagebox plan");
}
