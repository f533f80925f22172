// The kernel's settings, the network, packages, accounts and files of the host.
#include <algorithm>
#include <array>

#include "stages/script/rule_matches.hpp"

namespace stages::script::matches {
namespace {

// A file that is written: by a redirection, or by tee(1).
bool writes_below(const Command& command, std::string_view folder) {
    if (command.program != ">" && command.program != "tee") return false;
    return std::any_of(command.words.begin() + 1, command.words.end(), [&](const Word& word) {
        return std::ranges::any_of(word.values, [&](const std::string& value) { return value.starts_with(folder); });
    });
}

// What ip(8), nmcli(1) and the like are told beyond showing.
bool tells_to_change(const Command& command) {
    constexpr std::array<std::string_view, 19> changing{
        "add",    "del", "delete", "set",     "change",     "replace", "flush",  "append", "up",     "down",
        "modify", "on",  "off",    "connect", "disconnect", "block",   "reload", "enable", "disable"};
    return std::ranges::any_of(command.operands(), [&](const Word& word) { return is_one_of(word.value(), changing); });
}

}  // namespace

bool loads_module(const Command& command, const Surroundings&) {
    if (command.program == "insmod" || command.program == "rmmod") return true;
    return command.program == "modprobe" && !command.has_flag('n', "dry-run") &&
           !command.has_flag('D', "show-depends") && !command.has_flag('c', "showconfig") && command.words.size() > 1;
}

bool registers_format(const Command& command, const Surroundings&) {
    if (writes_below(command, "/proc/sys/fs/binfmt_misc/")) return true;
    if (command.program == "qemu-debootstrap") return true;
    return command.program == "update-binfmts" && !command.has_flag('\0', "display") &&
           !command.has_flag('\0', "find") && !command.has_flag('\0', "test") && command.words.size() > 1;
}

bool sets_kernel(const Command& command, const Surroundings&) {
    if (command.is_in_namespaces) return false;
    if (writes_below(command, "/proc/sys") || writes_below(command, "/sys/")) return true;
    if (command.program != "sysctl") return false;
    const bool has_value = std::any_of(command.words.begin() + 1, command.words.end(),
                                       [](const Word& word) { return word.value().find('=') != std::string::npos; });
    return has_value || command.has_flag('w', "write") || command.has_flag('p', "load") ||
           command.has_flag('\0', "system");
}

bool changes_network(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 9> always{
        "brctl",          "dhclient",          "dhcpcd",          "ifup", "ifdown", "udhcpc",
        "wpa_supplicant", "ip6tables-restore", "iptables-restore"};
    constexpr std::array<std::string_view, 8> verbs{"ip", "nmcli", "rfkill", "tc", "route", "ufw", "iw", "netplan"};
    const std::string& program = command.program;
    if (program == "iptables" || program == "ip6tables" || program == "ebtables") {
        return !command.has_flag('L', "list") && !command.has_flag('S', "list-rules") && command.words.size() > 1;
    }
    if (program == "nft") return command.verb() != "list" && command.words.size() > 1;
    if (program == "ifconfig") return command.operands().size() > 1;
    return is_one_of(program, always) || (is_one_of(program, verbs) && tells_to_change(command));
}

bool changes_identity(const Command& command, const Surroundings&) {
    const std::string& program = command.program;
    if (program == "hostname") return !command.operands().empty() || command.has_flag('F', "file");
    if (program == "date") return command.has_flag('s', "set");
    if (program == "hwclock") return command.has_flag('w', "systohc") || command.has_flag('s', "hctosys");
    const bool is_control = program == "hostnamectl" || program == "timedatectl" || program == "localectl";
    return is_control && command.verb().starts_with("set-");
}

bool changes_packages(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 10> managers{"apt-get", "apt", "aptitude", "dnf",    "yum",
                                                        "zypper",  "apk", "snap",     "pacman", "pip"};
    constexpr std::array<std::string_view, 11> verbs{"install",      "remove",       "purge",    "upgrade",
                                                     "dist-upgrade", "full-upgrade", "add",      "del",
                                                     "autoremove",   "build-dep",    "reinstall"};
    if (!is_host(command)) return false;
    if (command.program == "dpkg") {
        const bool is_elsewhere = command.has_flag('\0', "root") || command.has_flag('\0', "instdir");
        return !is_elsewhere &&
               (command.has_flag('i', "install") || command.has_flag('r', "remove") || command.has_flag('P', "purge") ||
                command.has_flag('\0', "configure") || command.has_flag('\0', "add-architecture"));
    }
    // apt's options can set another root: -o Dir=..., -o RootDir=...
    if (!is_one_of(command.program, managers) || command.option('o', "option").find("Dir") != std::string::npos)
        return false;
    if (command.program == "pacman") return command.has_flag('S', "sync") || command.has_flag('R', "remove");
    const std::vector<Word> operands = command.operands("otcaq");
    return std::ranges::any_of(operands, [&](const Word& word) { return is_one_of(word.value(), verbs); });
}

bool changes_accounts(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 16> programs{
        "useradd",  "adduser",  "usermod", "userdel",  "deluser", "groupadd", "groupmod", "addgroup",
        "groupdel", "delgroup", "passwd",  "chpasswd", "chsh",    "chfn",     "gpasswd",  "chage"};
    if (!is_host(command) || !is_one_of(command.program, programs)) return false;
    return command.option('R', "root").empty() && command.option('P', "prefix").empty();
}

bool writes_host_file(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 7> folders{"/etc/", "/usr/",  "/boot/",   "/lib/",
                                                      "/bin/", "/sbin/", "/var/lib/"};
    return is_host(command) &&
           std::ranges::any_of(folders, [&](std::string_view folder) { return writes_below(command, folder); });
}

}  // namespace stages::script::matches
