#include "sandbox/os/text.hpp"

#include <array>
#include <set>

#include "tests/support/catch.hpp"

using namespace sandbox::os;

TEST_CASE("a terminal is shown no control characters, no broken UTF-8 and no turned text", "[text]") {
    CHECK(printable("plain, and ä→") == "plain, and ä→");
    CHECK(printable("a\tb") == "a\tb");
    CHECK(printable("a\nb\x1b[2J\x7f\r") == "a?b?[2J??");
    CHECK(printable(std::string_view("a\0b", 3)) == "a?b");
    CHECK(printable("U+009B: \xc2\x9b") == "U+009B: ?");
    CHECK(printable("alone: \x9b, cut: \xe2\x82") == "alone: \ufffd, cut: \ufffd\ufffd");
    CHECK(printable("too long: \xc0\x8a") == "too long: \ufffd\ufffd");
    CHECK(printable("surrogate: \xed\xa0\x80") == "surrogate: \ufffd\ufffd\ufffd");
    CHECK(printable("beyond: \xf4\x90\x80\x80\xff") == "beyond: \ufffd\ufffd\ufffd\ufffd\ufffd");
    CHECK(printable("turned: \u202e\u2066\u200f\u061c, ended: \u2028") == "turned: ????, ended: ?");
    CHECK(printable("").empty());
    CHECK(printable_characters("a→\x1b") == std::vector<std::string_view>{"a", "→", "?"});
}

TEST_CASE("text: what a CI system would obey is text") {
    CHECK(printable("::error file=a::b") == "?:error file=a::b");
    CHECK(printable(" \t\u00a0\u3000::add-mask::x") == " \t\u00a0\u3000?:add-mask::x");
    CHECK(printable("##[error]a") == "?#[error]a");
    CHECK(printable("a ###[group]##vso[task.setvariable]") == "a #?#[group]?#vso[task.setvariable]");
    CHECK(printable("##teamcity[buildProblem]") == "?#teamcity[buildProblem]");
    for (const char* harmless : {"::1", "std::string", "a ::error::", "## heading", "##x", "#[derive(Debug)]"}) {
        CHECK(printable(harmless) == harmless);
    }
}

TEST_CASE("text: of a program's output only colours are kept of its escape sequences") {
    using enum sandbox::os::Colours;
    const auto both = [](std::string_view line, std::string_view plain, std::string_view coloured) {
        CAPTURE(line);
        CHECK(printable_output(line, dropped) == plain);
        CHECK(printable_output(line, kept) == coloured);
    };
    both("plain", "plain", "plain");
    both("\x1b[1;31mred\x1b[0m!", "red!", "\x1b[1;31mred\x1b[0m!\x1b[0m");
    both("\x1b[38;5;8mgrey", "grey", "\x1b[38;5;8mgrey\x1b[0m");
    both("\x1b[8mhidden\x1b[05;1mblink", "hiddenblink", "hiddenblink");
    both("\x1b[2K\x1b[1Aup\x1b[?25l\x1b[6n", "up", "up");
    both("\x1b]0;title\aa\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink", "alink");
    both("\x1b]52;c;never ended", "?]52;c;never ended", "?]52;c;never ended");
    both(
        "\x1bPq\x1b[31m\x1b\\\x1b(B\x1b"
        "c",
        "?Pq", "?Pq\x1b[0m");
    both("\x1b[31", "?[31", "?[31");
    both("\x1b", "?", "?");
    // What is left when the sequences are gone is no command, and no sequence either.
    both("#\x1b[m#[error]", "?#[error]", "?\x1b[m#[error]\x1b[0m");
    both(":\x1b[2K:error::", "?:error::", "?:error::");
    both("\x1b\x1b[2K[31m", "?[31m", "?[31m");
    both("\u009b31m", "?31m", "?31m");
}

TEST_CASE("a plain name tells what it was", "[text]") {
    CHECK(plain("a b") == "a b");
    CHECK(plain("a\nb\xff\x7f") == "a\\x0ab\\xff\\x7f");
}

TEST_CASE("quotes are safe to print", "[text]") {
    CHECK(quote("a\"b\\c") == "\"a\\\"b\\\\c\"");
    CHECK(quote("a\nb\tc") == "\"a\\nb\\tc\"");
    CHECK(quote(std::string_view("\0\x1b", 2)) == "\"\\u0000\\u001B\"");
    CHECK(quote("ä→") == "\"ä→\"");
    CHECK(quote(std::string(1000, 'x')).size() < 100);
}

TEST_CASE("a word that is pasted into a shell is one word there", "[text]") {
    CHECK(shell_word("/usr/bin/x-1_2.so") == "/usr/bin/x-1_2.so");
    CHECK(shell_word("").length() == 2);
    CHECK(shell_word("my proj/x") == "'my proj/x'");
    CHECK(shell_word("it's") == "'it'\\''s'");
    CHECK(shell_word("$(id)") == "'$(id)'");
    CHECK(shell_word("~") == "'~'");
    CHECK(shell_word("A=b") == "'A=b'");
    CHECK(shell_words(std::array<std::string, 3>{"sh", "-c", "echo no; exit 3"}) == "sh -c 'echo no; exit 3'");
    CHECK(shell_words(std::array<std::string, 2>{"", "a"}) == "'' a");
}

TEST_CASE("lists have their separators between the parts", "[text]") {
    CHECK(join(std::vector<std::string>{}).empty());
    CHECK(join(std::vector<std::string>{"a"}) == "a");
    CHECK(join(std::set<std::string>{"a", "b", "c"}) == "a, b, c");
    CHECK(join(std::array<std::string_view, 3>{"", "b", ""}, "|") == "|b|");
    std::string text;
    append_part(text, "; ", "one");
    append_part(text, "; ", "two");
    CHECK(text == "one; two");
    CHECK(list_words(std::vector<std::string>{"a"}) == "a");
    CHECK(list_words(std::vector<std::string>{"a", "b"}) == "a and b");
    CHECK(list_words(std::array<std::string_view, 3>{"a", "b", "c"}) == "a, b and c");
    CHECK(list_choices(std::array<std::string_view, 3>{"a", "b", "c"}) == "\"a\", \"b\" or \"c\"");
}

TEST_CASE("a text is cut into its lines", "[text]") {
    using Lines = std::vector<std::string_view>;
    CHECK(lines("").empty());
    CHECK(lines("\n") == Lines{""});
    CHECK(lines("a\n\nb") == Lines{"a", "", "b"});
    CHECK(lines("a\nb\n") == Lines{"a", "b"});
}

TEST_CASE("a slip of the hand is told from another word", "[text]") {
    constexpr std::array<std::string_view, 5> words = {"from", "in", "script", "run", "network"};
    CHECK(nearest("form", words) == "from");
    CHECK(nearest("FROM", words) == "from");
    CHECK(nearest("netwrok", words) == "network");
    CHECK(nearest("scripts", words) == "script");
    CHECK(nearest("colour", words).empty());
    CHECK(nearest("x", words).empty());
    CHECK(nearest("", words).empty());
    CHECK(nearest(std::string(100'000, 'a'), words).empty());
    CHECK(did_you_mean("form", words) == "did you mean \"from\"?");
    CHECK(did_you_mean("colour", words).empty());
}

TEST_CASE("sizes and times are short", "[text]") {
    CHECK(human_bytes(0) == "0 B");
    CHECK(human_bytes(999) == "999 B");
    CHECK(human_bytes(1500) == "1.5 kB");
    CHECK(human_bytes(3.2e9) == "3.2 GB");
    CHECK(human_bytes(5e15) == "5000.0 TB");
    CHECK(human_seconds(0) == "0.0 s");
    CHECK(human_seconds(59.94) == "59.9 s");
    CHECK(human_seconds(725.2) == "12:05 min");
}

TEST_CASE("text: what is long is shortened in its middle, by whole characters") {
    CHECK(shortened("short", 5) == "short");
    CHECK(shortened("0123456789", 9) == "012…789");
    CHECK(shortened("0123456789", 8) == "012…89");
    CHECK(shortened(std::string(300000, 'x'), 200).size() == 200);
    CHECK(shortened("ääääääää", 10) == "ää…ä");
    CHECK(shortened("0123456789", 3) == "…");
    CHECK(shortened("\xff\xff\xff\xff\xff\xff", 5) == "\xff…\xff");
}
