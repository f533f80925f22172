// The words of a command line, one a line; nothing is run. `run` and `profile learn` have readers of their own.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/cli/command_line.hpp"
#include "runtime/cli/profile/learn.hpp"
#include "runtime/cli/run/run.hpp"
#include "sandbox/config/config.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        // execve(2) passes no NUL on.
        const std::string_view word = text.substr(0, end);
        words.emplace_back(word.substr(0, word.find('\0')));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

// Help and errors are no part of this.
void be_quiet() {
    static const bool done = [] {
        const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
        return nowhere >= 0 && ::dup2(nowhere, STDOUT_FILENO) >= 0;
    }();
    tests::fuzz::must(done, "standard output can be put aside");
}

using Words = std::vector<std::string>;

bool begins_with(const Words& words, const Words& name) {
    return words.size() >= name.size() && std::equal(name.begin(), name.end(), words.begin());
}

Words words_after(const Words& words, std::ptrdiff_t count) {
    return {words.begin() + count, words.end()};
}

void read_run(const Words& words) {
    const runtime::cli::RunRequest request = runtime::cli::parse_run(words);
    tests::fuzz::must(request.wants != runtime::cli::Wants::command || !request.command.argv.empty(),
                      "a run has a command");
}

void read_learn(const Words& words) {
    const runtime::cli::LearnRequest request = runtime::cli::parse_learn(words);
    tests::fuzz::must(!request.command.empty() && request.output.ends_with(".toml"),
                      "what is learned from has a command and a place to write to");
}

void read(const Words& words, void (*reader)(const Words&)) {
    try {
        reader(words);
    } catch (const std::invalid_argument& error) {
        tests::fuzz::must(*error.what() != '\0', "an error says something");
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    be_quiet();
    std::vector<std::string> words = words_of(tests::fuzz::text_of(data, size));
    if (begins_with(words, {"run"})) {
        read(words_after(words, 1), read_run);
        return 0;
    }
    if (begins_with(words, {"profile", "learn"})) {
        read(words_after(words, 2), read_learn);
        return 0;
    }
    words.insert(words.begin(), "stagebox");
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int code = runtime::cli::check_command_line(static_cast<int>(words.size()), argv.data());
    tests::fuzz::must(code == 0 || code == 2, "a command line is right or wrong");
    return 0;
}
