#include "stages/script/commands.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace stages::script {
namespace {

// A program that runs the command in its arguments.
struct Carrier {
    std::string_view program;
    std::string_view letters_with_value;  // of its short options
    unsigned operands;                    // that come before the command
};

// getopt(3) style; long options have their value behind "=" but where they are listed below.
constexpr std::array<Carrier, 32> carriers{{
    {"sudo", "ughpCrtTUDR", 0}, {"doas", "uC", 0},
    {"pkexec", "", 0},          {"env", "uCS", 0},
    {"nice", "n", 0},           {"ionice", "cnpPu", 0},
    {"nohup", "", 0},           {"time", "fo", 0},
    {"timeout", "ks", 1},       {"command", "", 0},
    {"exec", "a", 0},           {"builtin", "", 0},
    {"xargs", "dEILnPsa", 0},   {"chroot", "", 1},
    {"arch-chroot", "u", 1},    {"unshare", "SGRw", 0},
    {"setarch", "", 1},         {"linux32", "", 0},
    {"linux64", "", 0},         {"i386", "", 0},
    {"eatmydata", "", 0},       {"fakeroot", "lbsi", 0},
    {"stdbuf", "ioe", 0},       {"setsid", "", 0},
    {"taskset", "", 1},         {"chrt", "TPD", 1},
    {"flock", "wE", 1},         {"strace", "oespPEuSaIOX", 0},
    {"systemd-inhibit", "", 0}, {"noeject", "", 0},  // live-config's
    {"noprompt", "", 0},        {"systemd-nspawn", "DMiaupbE", 0},
}};

constexpr std::array<std::string_view, 8> long_options_with_value{
    "--user", "--group", "--chdir", "--unset", "--signal", "--kill-after", "--directory", "--setenv"};

std::string_view program_name(std::string_view path) {
    // An expansion is a name of its own: ${0##*/} is not the program "}".
    return path.find('$') != path.npos ? path : path.substr(path.rfind('/') + 1);
}

bool is_setting(std::string_view word) {
    const std::size_t equals = word.find('=');
    if (equals == word.npos || equals == 0) return false;
    return std::ranges::all_of(word.substr(0, equals), [](char c) {
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    });
}

bool takes_next(std::string_view option, std::string_view letters_with_value) {
    if (option.starts_with("--"))
        return std::ranges::find(long_options_with_value, option) != long_options_with_value.end();
    // The letters before it are flags; a value may follow in the same word.
    const std::size_t found = option.find_first_of(letters_with_value, 1);
    return found != option.npos && found + 1 == option.size();
}

// Where the command begins among the carrier's words; nothing where there is none.
std::optional<std::size_t> inner_begin(std::span<const Word> words, const Carrier& carrier) {
    std::size_t operands = carrier.operands;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i].value();
        if (word == "--") continue;
        if (word.starts_with('-') && word.size() > 1) {
            // `command -v NAME` asks, and runs nothing.
            if (carrier.program == "command" && (word == "-v" || word == "-V")) return std::nullopt;
            if (takes_next(word, carrier.letters_with_value)) ++i;
        } else if (is_setting(word)) {
            continue;
        } else if (operands > 0) {
            --operands;
        } else {
            return i;
        }
    }
    return std::nullopt;
}

// Mounts and processes of its own.
bool makes_namespaces(const Command& command) {
    if (command.program == "systemd-nspawn" || command.program == "bwrap") return true;
    if (command.program != "unshare") return false;
    const bool has_mounts = command.has_flag('m', "mount") || command.has_flag('\0', "mount-proc");
    return has_mounts && command.has_flag('p', "pid");
}

bool enters_chroot(const Command& command) {
    return command.program == "chroot" || command.program == "arch-chroot" || command.program == "systemd-nspawn" ||
           (command.program == "unshare" && !command.option('R', "root").empty());
}

const Carrier* carrier_of(const Command& command) {
    const auto found = std::ranges::find(carriers, command.program, &Carrier::program);
    return found == carriers.end() ? nullptr : &*found;
}

// The command in a function that hands on its caller's arguments: `chroot "$TARGET" "$@"`, `$SUDO "$@"`.
bool hands_on(const Command& command, const Script& script) {
    const auto is_arguments = [](const Word& word) { return word.value() == "$@" || word.value() == "$*"; };
    if (is_arguments(command.words.front())) return true;
    const bool is_unknown = command.program.starts_with('$');
    const bool is_runner = command.program == "eval" || script.runners.contains(command.program);
    return (is_unknown || is_runner) && is_arguments(command.words.back());
}

bool speaks_of_chroot(const Command& command) {
    return command.is_in_chroot || std::ranges::any_of(command.words, [](const Word& word) {
               return word.text.find("chroot") != word.text.npos || word.text.find("CHROOT") != word.text.npos;
           });
}

}  // namespace

bool Command::has_flag(char letter, std::string_view long_name) const {
    for (std::size_t i = 1; i < words.size(); ++i) {
        for (const std::string& word : words[i].values) {
            if (word == "--") return false;
            if (word.starts_with("--")) {
                const std::string_view name = std::string_view(word).substr(2, word.find('=') - 2);
                if (!long_name.empty() && name == long_name) return true;
            } else if (word.starts_with('-') && letter != '\0' && word.find(letter, 1) != word.npos) {
                return true;
            }
        }
    }
    return false;
}

std::string Command::option(char letter, std::string_view long_name) const {
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i].value();
        const bool has_next = i + 1 < words.size();
        if (word.starts_with("--")) {
            const std::string_view name = std::string_view(word).substr(2, word.find('=') - 2);
            if (long_name.empty() || name != long_name) continue;
            const std::size_t equals = word.find('=');
            if (equals != word.npos) return word.substr(equals + 1);
            return has_next ? words[i + 1].value() : std::string();
        }
        if (!word.starts_with('-') || letter == '\0') continue;
        const std::size_t found = word.find(letter, 1);
        if (found == word.npos) continue;
        if (found + 1 < word.size()) return word.substr(found + 1);
        return has_next ? words[i + 1].value() : std::string();
    }
    return {};
}

std::vector<Word> Command::operands(std::string_view letters_with_value) const {
    std::vector<Word> all;
    bool are_options_over = false;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i].value();
        if (are_options_over || !word.starts_with('-') || word.size() == 1) {
            all.push_back(words[i]);
        } else if (word == "--") {
            are_options_over = true;
        } else if (!letters_with_value.empty() && takes_next(word, letters_with_value)) {
            ++i;
        }
    }
    return all;
}

std::string Command::verb() const {
    const std::vector<Word> all = operands();
    return all.empty() ? std::string() : all.front().value();
}

std::vector<Command> commands_of(const Call& call, const Script& script) {
    std::vector<Command> all;
    std::span<const Word> words = call.words;
    bool is_in_chroot = call.is_in_chroot;
    bool is_in_namespaces = false;
    while (!words.empty()) {
        Command command{.program = std::string(program_name(words.front().value())),
                        .words = {words.begin(), words.end()},
                        .span = {words.front().span.begin, words.back().span.end},
                        .function = call.function,
                        .is_in_chroot = is_in_chroot,
                        .is_in_namespaces = is_in_namespaces,
                        .is_verbatim = call.is_verbatim};
        const Carrier* carrier = carrier_of(command);
        auto inner = carrier == nullptr ? std::nullopt : inner_begin(words, *carrier);
        const auto runner = script.runners.find(command.program);
        if (runner != script.runners.end() && words.size() > 1) inner = 1;
        is_in_chroot = is_in_chroot || enters_chroot(command) || (runner != script.runners.end() && runner->second);
        is_in_namespaces = is_in_namespaces || makes_namespaces(command);
        // What systemd-nspawn runs has nothing of the host to harm.
        const bool is_container = command.program == "systemd-nspawn";
        all.push_back(std::move(command));
        if (!inner || is_container) break;
        words = words.subspan(*inner);
    }
    return all;
}

std::vector<Command> commands_of(const Script& script) {
    std::vector<Command> all;
    for (const Call& call : script.calls) {
        for (Command& command : commands_of(call, script)) all.push_back(std::move(command));
    }
    return all;
}

std::vector<Command> commands_reached(const Script& script, const std::string& function) {
    std::vector<Command> all;
    std::vector<std::string> functions{function};
    for (std::size_t next = 0; next < functions.size(); ++next) {
        for (const Call& call : script.calls) {
            if (call.function != functions[next]) continue;
            for (Command& command : commands_of(call, script)) {
                const bool is_new = std::ranges::find(functions, command.program) == functions.end();
                if (is_new && script.find(command.program) != nullptr) functions.push_back(command.program);
                all.push_back(std::move(command));
            }
        }
    }
    return all;
}

std::map<std::string, bool> find_runners(const Script& script) {
    Script known = script;
    for (std::size_t before = known.runners.size() + 1; before != known.runners.size();) {
        before = known.runners.size();
        for (const Command& command : commands_of(known)) {
            if (command.function.empty() || !hands_on(command, known)) continue;
            const auto callee = known.runners.find(command.program);
            const bool in_chroot = speaks_of_chroot(command) || (callee != known.runners.end() && callee->second);
            known.runners[command.function] |= in_chroot;
        }
    }
    return known.runners;
}

bool is_shell_reading_input(const Command& command) {
    if (!is_shell("#!" + command.program)) {
        // `chroot DIR` alone starts a shell; so does `su`.
        return (command.program == "chroot" && command.operands().size() == 1) || command.program == "su";
    }
    return command.operands("oO").empty() || command.has_flag('s', {});
}

std::vector<const Word*> program_texts(const Command& command) {
    const std::vector<Word>& words = command.words;
    std::vector<const Word*> texts;
    const bool has_text = is_shell("#!" + command.program) || command.program == "su" || command.program == "runuser";
    for (std::size_t i = 1; has_text && i + 1 < words.size(); ++i) {
        const std::string& word = words[i].value();
        if (word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')) {
            texts.push_back(&words[i + 1]);
            return texts;
        }
    }
    if (command.program == "eval" && words.size() == 2) texts.push_back(&words[1]);
    if (command.program == "trap" && words.size() > 2) {
        const Word& action = words[words[1].value() == "--" ? 2 : 1];
        if (action.value().find(' ') != std::string::npos) texts.push_back(&action);
    }
    const bool is_text = words.size() > 1 && words.back().value().find(' ') != std::string::npos;
    if (is_chroot_function(command.program) && is_text) texts.push_back(&words.back());
    return texts;
}

// Functions that scripts name for what they do with their arguments.
bool is_chroot_function(const std::string& program) {
    std::string lower = program;
    std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
    return lower.find("chroot") != lower.npos && program != "chroot" && program != "arch-chroot";
}

std::string trap_action(const Command& trap) {
    if (trap.program != "trap" || trap.words.size() < 3) return {};
    const std::string& action = trap.words[trap.words[1].value() == "--" ? 2 : 1].value();
    return action == "-" ? std::string() : action;
}

}  // namespace stages::script
