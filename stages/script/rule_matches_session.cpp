// Processes, services and what ends a shell.
#include <algorithm>
#include <array>

#include "stages/script/rule_matches.hpp"

namespace stages::script::matches {
namespace {

// kill $(pidof NAME): the processes come from a search.
bool is_found_by_search(const Word& word, const Script& script) {
    constexpr std::array<std::string_view, 6> searches{"pgrep", "pidof", "lsof", "fuser", "ps", "ss"};
    return std::ranges::any_of(script.calls, [&](const Call& call) {
        return word.span.holds(call.span) && word.span != call.span && is_one_of(call.words.front().value(), searches);
    });
}

bool is_init_script(const Command& command) {
    const std::string& path = command.words.front().value();
    return path.find("/etc/init.d/") != path.npos && command.words.size() > 1;
}

bool steers_init_script(const Command& command) {
    if (is_init_script(command)) return command.words[1].value() != "status";
    const std::vector<Word> operands = command.operands();
    const bool is_frontend =
        command.program == "service" || command.program == "invoke-rc.d" || command.program == "rc-service";
    return is_frontend && operands.size() > 1 && operands[1].value() != "status";
}

bool sets_strict_mode(const Command& command) {
    if (command.program != "set" || command.words.size() < 2) return false;
    const auto is_strict = [](const Word& word) {
        const std::string& value = word.value();
        const bool is_letters = value.starts_with('-') && !value.starts_with("--");
        return (is_letters && value.find_first_of("eu") != value.npos) || value == "errexit" || value == "nounset";
    };
    return std::any_of(command.words.begin() + 1, command.words.end(), is_strict);
}

// What a clean-up should not do: it runs at the worst moment, or never.
bool is_clean_up(const Command& command, const Surroundings& around) {
    return unmounts(command, around) || kills_by_mount(command, around) || kills_by_name(command, around) ||
           makes_block_device(command, around) || (command.program == "rm" && command.has_flag('r', "recursive"));
}

}  // namespace

bool kills_by_mount(const Command& command, const Surroundings&) {
    return command.program == "fuser" && !command.is_in_namespaces && command.has_flag('k', "kill");
}

bool kills_by_name(const Command& command, const Surroundings& around) {
    constexpr std::array<std::string_view, 6> programs{"pkill", "killall", "killall5", "skill", "slay", "xkill"};
    if (command.is_in_namespaces) return false;
    if (is_one_of(command.program, programs)) return true;
    if (command.program != "kill") return false;
    // Of `xargs kill -9` the processes come from elsewhere too.
    const bool asks = command.has_flag('l', "list") || command.has_flag('L', "table");
    if (command.operands("sn").empty() && !asks) return true;
    return std::ranges::any_of(command.words,
                               [&](const Word& word) { return is_found_by_search(word, around.script); });
}

bool kills_all(const Command& command, const Surroundings&) {
    if (command.program != "kill" || command.is_in_namespaces || command.words.size() < 2) return false;
    return std::any_of(command.words.begin() + 2, command.words.end(),
                       [](const Word& word) { return word.value() == "-1"; });
}

bool ends_session(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 7> programs{"reboot",  "poweroff",           "halt",      "shutdown",
                                                       "telinit", "gnome-session-quit", "pm-suspend"};
    constexpr std::array<std::string_view, 13> verbs{"isolate", "reboot",      "poweroff",    "halt",      "kexec",
                                                     "suspend", "hibernate",   "rescue",      "emergency", "exit",
                                                     "default", "soft-reboot", "hybrid-sleep"};
    if (command.is_in_namespaces) return false;
    const std::string verb = command.verb();
    if (command.program == "loginctl") return verb.starts_with("terminate-") || verb.starts_with("kill-");
    // In a chroot, systemctl does nothing.
    if (command.program == "systemctl") return !command.is_in_chroot && is_one_of(verb, verbs);
    if (command.program == "init") return verb.size() == 1;
    return is_one_of(command.program, programs);
}

bool steers_service(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 14> verbs{
        "start", "stop",          "restart",       "try-restart",       "reload",
        "kill",  "daemon-reload", "daemon-reexec", "reload-or-restart", "freeze",
        "thaw",  "set-property",  "reset-failed",  "condrestart"};
    if (!is_host(command)) return false;
    if (command.program == "initctl") return is_one_of(command.verb(), verbs);
    return command.program == "systemctl" && is_one_of(command.verb(), verbs);
}

bool changes_unit_files(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 9> verbs{"enable", "disable",     "mask",       "unmask", "preset",
                                                    "link",   "set-default", "preset-all", "revert"};
    if (!is_host(command)) return false;
    if (command.program == "update-rc.d") return true;
    return command.program == "systemctl" && command.option('\0', "root").empty() && is_one_of(command.verb(), verbs);
}

bool runs_init_script(const Command& command, const Surroundings&) {
    return is_host(command) && steers_init_script(command);
}

bool runs_init_script_in_chroot(const Command& command, const Surroundings&) {
    return command.is_in_chroot && !command.is_in_namespaces && steers_init_script(command);
}

bool enters_chroot(const Command& command, const Surroundings&) {
    const bool is_chroot = command.program == "chroot" || command.program == "arch-chroot";
    return is_chroot && is_host(command) && command.words.size() > 1;
}

bool cleans_up_in_trap(const Command& command, const Surroundings& around) {
    const std::string action = trap_action(command);
    if (action.empty()) return false;
    const auto cleans = [&](const Command& one) { return is_clean_up(one, around); };
    // The text of the trap has its commands inside of the word.
    const std::string function = action.substr(0, action.find_first_of(" ;"));
    if (around.script.find(function) != nullptr &&
        std::ranges::any_of(commands_reached(around.script, function), cleans)) {
        return true;
    }
    return std::ranges::any_of(commands_of(around.script), [&](const Command& one) {
        const bool is_inside = command.span.holds(one.span) && one.program != "trap";
        return is_inside && cleans(one);
    });
}

bool ends_who_reads_it(const Command& command, const Surroundings& around) {
    const bool is_read = around.script.is_sourced() || around.script.interpreter.empty();
    if (!is_read || command.is_in_chroot) return false;
    const auto is_inside = [&](const Call& call) { return call.span.holds(command.span) && call.span != command.span; };
    const bool is_at_top = command.function.empty() && std::ranges::none_of(around.script.calls, is_inside);
    return sets_strict_mode(command) || (command.program == "exit" && is_at_top);
}

bool takes_rights(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 5> programs{"sudo", "doas", "pkexec", "gksudo", "kdesudo"};
    return is_host(command) && is_one_of(command.program, programs);
}

bool makes_namespaces(const Command& command, const Surroundings&) {
    return command.program == "unshare" && command.words.size() > 1;
}

bool runs_container(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 7> programs{"systemd-nspawn", "docker", "podman", "bwrap",
                                                       "nsenter",        "lxc",    "schroot"};
    return is_one_of(command.program, programs) && command.words.size() > 1;
}

bool asks_person(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 5> programs{"dialog", "whiptail", "zenity", "kdialog", "yad"};
    return is_one_of(command.program, programs) || (command.program == "read" && command.has_flag('p', {}));
}

}  // namespace stages::script::matches
