// Which commands a call comes to: `sudo chroot DIR umount -l /proc` is three, each with what it runs under. Knows how
// programs take a command as their arguments, not what commands do.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "stages/script/syntax.hpp"

namespace stages::script {

struct Command {
    std::string program;      // without its directory
    std::vector<Word> words;  // the program first
    Span span;
    std::string function;  // the one that has the call
    bool is_in_chroot = false;
    bool is_in_namespaces = false;  // of its own mounts and processes: unshare(1), systemd-nspawn(1)
    bool is_verbatim = true;        // as Call's

    // -x alone or among others, as in -lf; or --long. `long_name` may be empty.
    [[nodiscard]] bool has_flag(char letter, std::string_view long_name) const;
    // The value of -x VALUE, -xVALUE, --long VALUE or --long=VALUE; empty where it is not there.
    [[nodiscard]] std::string option(char letter, std::string_view long_name) const;
    // What is no option, and no value of one of these letters.
    [[nodiscard]] std::vector<Word> operands(std::string_view letters_with_value = {}) const;
    // The first operand, or an empty text.
    [[nodiscard]] std::string verb() const;
};

// The outermost first; at least one. Functions of the script that run their arguments are known for that.
std::vector<Command> commands_of(const Call& call, const Script& script);
// All of the script's, in the order of their calls.
std::vector<Command> commands_of(const Script& script);
// What the function calls, and what the functions that it calls do. Each command once.
std::vector<Command> commands_reached(const Script& script, const std::string& function);

// The functions that run their arguments as a command, as `in_target () { chroot "$TARGET" "$@"; }`, and whether in a
// chroot.
std::map<std::string, bool> find_runners(const Script& script);

// Whether the command is a shell that reads its script from standard input.
bool is_shell_reading_input(const Command& command);
// The arguments that are a script themselves: of sh -c, su -c, eval and trap, and of functions named for the chroot
// that they enter, as live-build's `Chroot chroot "mkfs -F /dev/x"`.
std::vector<const Word*> program_texts(const Command& command);
bool is_chroot_function(const std::string& program);

// What a trap is to do: a text, or a function's name; empty where the command is no trap, or takes one back.
std::string trap_action(const Command& trap);

}  // namespace stages::script
