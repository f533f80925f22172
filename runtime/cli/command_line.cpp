#include "runtime/cli/command_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <new>
#include <optional>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/parse.hpp"
#include "sandbox/config/config.hpp"
#include "sandbox/os/startup.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/plan/plan.hpp"

namespace runtime::cli {

namespace {

// The commands that there are, in the order of the help.
Vocabulary vocabulary() {
    Vocabulary all;
#define STAGEBOX_MAKE(NAME) all.commands.push_back(NAME##_command());
    STAGEBOX_COMMANDS(STAGEBOX_MAKE)
#undef STAGEBOX_MAKE
    all.groups = {
        {"profile", "What jails allow"}, {"store", "Look after the store"}, {"session", "Look after the host session"}};
    all.former_names = {{"report", "receipt"}};
    return all;
}

// The lines of an error, which may name what was typed, as a terminal can show them.
int complain(std::string_view text, int code) {
    for (const char* prefix = "error: "; !text.empty(); prefix = "") {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::fprintf(stderr, "%s%s\n", prefix, sandbox::os::printable(text.substr(0, end)).c_str());
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return code;
}

// A program with the setuid or setgid bit would build jails with somebody else's rights: the environment, the store and
// everything else here are those of whoever calls.
void refuse_borrowed_ids() {
    if (::getuid() == ::geteuid() && ::getgid() == ::getegid()) return;
    throw std::invalid_argument(
        "this program has the setuid or setgid bit, and refuses to work with it: chmod ug-s takes the bit away; an "
        "ordinary user's jail needs no rights but the user's own");
}

bool begins_with(const std::vector<std::string>& words, const std::vector<std::string>& name) {
    return words.size() >= name.size() && std::equal(name.begin(), name.end(), words.begin());
}

std::vector<std::string> name_words(const std::string& name) {
    const std::size_t space = name.find(' ');
    if (space == std::string::npos) return {name};
    return {name.substr(0, space), name.substr(space + 1)};
}

// The command that these words name, where it is one that reads what follows itself.
const Command* find_own_reader(const std::vector<Command>& commands, const std::vector<std::string>& words) {
    const auto found = std::ranges::find_if(commands, [&](const Command& command) {
        return std::holds_alternative<OwnReader>(command.how) && begins_with(words, name_words(command.name));
    });
    return found == commands.end() ? nullptr : &*found;
}

int run_own_reader(const Command& command, const std::vector<std::string>& words) {
    const auto named = static_cast<std::ptrdiff_t>(name_words(command.name).size());
    return std::get<OwnReader>(command.how).run({words.begin() + named, words.end()});
}

// The exit code where the words have said all, and no command is to be run.
struct Tell {
    int operator()(const Answer& answer) const {
        std::fputs(answer.text.c_str(), stdout);
        return ExitCode::done;
    }
    int operator()(const Incomplete& incomplete) const {
        std::fputs(incomplete.help.c_str(), stderr);
        return ExitCode::wrong_input;
    }
    int operator()(const Wrong& wrong) const { return complain(wrong.problem, ExitCode::wrong_input); }
    int operator()(const Command* /*command*/) const { return ExitCode::done; }
};

int parse_and_run(const Vocabulary& known, const std::vector<std::string>& words) {
    const Parsed parsed = parse(known, words);
    const auto* command = std::get_if<const Command*>(&parsed);
    if (command == nullptr) return std::visit(Tell{}, parsed);
    const auto* declared = std::get_if<Declared>(&(*command)->how);
    return declared != nullptr ? declared->run() : run_own_reader(**command, words);
}

std::vector<std::string> words_after_program(int argc, char** argv) {
    return {argv + std::min(argc, 1), argv + argc};
}

}  // namespace

int run_command_line(int argc, char** argv) {
    ErrorCodes codes;
    try {
        sandbox::os::open_closed_streams();
        const Vocabulary known = vocabulary();
        const std::vector<std::string> words = words_after_program(argc, argv);
        const Command* reader = find_own_reader(known.commands, words);
        if (reader != nullptr) codes = reader->codes;
        refuse_borrowed_ids();
        return reader != nullptr ? run_own_reader(*reader, words) : parse_and_run(known, words);
    } catch (const sandbox::ConfigError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return codes.wrong_input;
    } catch (const sandbox::PlanError& error) {
        return complain(error.what(), codes.wrong_input);
    } catch (const std::invalid_argument& error) {
        return complain(error.what(), codes.wrong_input);
    } catch (const std::bad_alloc&) {
        return complain("there is not enough memory", codes.cannot_run);
    } catch (const std::exception& error) {
        return complain(error.what(), codes.cannot_run);
    }
}

int check_command_line(int argc, char** argv) {
    const Vocabulary known = vocabulary();
    return std::visit(Tell{}, parse(known, words_after_program(argc, argv)));
}

}  // namespace runtime::cli
