// Mounts, devices and what is deleted over them.
#include <algorithm>
#include <array>

#include "stages/script/rule_matches.hpp"

namespace stages::script::matches {
namespace {

constexpr std::string_view mount_letters = "toLUNO";  // of mount(8)'s options those with a value

// One of the words between the commas of all -o.
bool has_mount_option(const Command& command, std::string_view wanted) {
    const std::string options = "," + command.option('o', "options") + ",";
    return options.find("," + std::string(wanted) + ",") != options.npos;
}

bool is_bind(const Command& command) {
    return command.has_flag('B', "bind") || command.has_flag('R', "rbind") || has_mount_option(command, "bind") ||
           has_mount_option(command, "rbind");
}

bool lies_in(std::string_view path, std::string_view folder) {
    return path == folder || (path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/');
}

// What a session cannot do without.
bool is_live_tree(std::string_view path) {
    constexpr std::array<std::string_view, 8> live{"/dev",     "/run", "/proc", "/sys",
                                                   "/var/run", "/tmp", "/home", "$HOME"};
    return path == "/" || std::ranges::any_of(live, [&](std::string_view folder) { return lies_in(path, folder); });
}

bool lists_mounts(const Command& command) {
    const bool changes_propagation =
        std::ranges::any_of(command.words, [](const Word& word) { return word.value().starts_with("--make-"); });
    return command.operands(mount_letters).empty() && !changes_propagation && !command.has_flag('a', "all");
}

bool steers_loop(const Command& command) {
    constexpr std::array<std::string_view, 5> changing{"detach", "detach-all", "set-capacity", "partscan", "show"};
    for (const std::string_view flag : changing) {
        if (command.has_flag('\0', flag)) return true;
    }
    if (command.has_flag('d', {}) || command.has_flag('D', {}) || command.has_flag('c', {})) return true;
    if (command.has_flag('a', "all") || command.has_flag('l', "list") || command.has_flag('j', "associated"))
        return false;
    const std::size_t operands = command.operands("ojbO").size();
    return command.has_flag('f', "find") ? operands > 0 : operands > 1;
}

// What only tells is no hazard.
bool steers_mapper(const Command& command) {
    constexpr std::array<std::string_view, 10> telling{"ls",   "info",    "table",   "status",    "deps",
                                                       "help", "version", "targets", "splitname", "mknodes"};
    const std::string verb = command.verb();
    return !verb.empty() && !is_one_of(verb, telling);
}

bool steers_raid(const Command& command) {
    constexpr std::array<std::string_view, 5> long_names{"create", "assemble", "stop", "zero-superblock", "add"};
    const bool is_named =
        std::ranges::any_of(long_names, [&](std::string_view name) { return command.has_flag('\0', name); });
    return is_named || command.has_flag('C', {}) || command.has_flag('A', {}) || command.has_flag('S', {});
}

bool is_recursive_removal(const Command& command) {
    return command.program == "rm" && (command.has_flag('r', "recursive") || command.has_flag('R', {}));
}

std::string without_end(std::string path) {
    if (path.ends_with("/*")) path.resize(path.size() - 2);
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

}  // namespace

bool unmounts_by_force(const Command& command, const Surroundings&) {
    if (command.program != "umount" || command.is_in_namespaces) return false;
    return command.has_flag('l', "lazy") || command.has_flag('f', "force") || command.has_flag('a', "all") ||
           command.has_flag('A', "all-targets") || command.has_flag('R', "recursive");
}

bool unmounts(const Command& command, const Surroundings&) {
    return command.program == "umount" || command.program == "fusermount" || command.program == "fusermount3";
}

bool mounts_host_tree(const Command& command, const Surroundings&) {
    if (command.program != "mount" || command.is_in_namespaces) return false;
    // There is one devtmpfs: this is the host's own /dev.
    if (command.option('t', "types") == "devtmpfs") return true;
    const std::vector<Word> operands = command.operands(mount_letters);
    return is_bind(command) && operands.size() > 1 && std::ranges::any_of(operands.front().values, is_live_tree);
}

bool mounts(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 6> others{"mount.nfs", "mount.cifs", "sshfs",
                                                     "bindfs",    "squashfuse", "guestmount"};
    if (command.is_in_namespaces) return false;
    return (command.program == "mount" && !lists_mounts(command)) || is_one_of(command.program, others);
}

bool makes_block_device(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 11> always{"vgchange",  "lvchange",   "vgcreate", "lvcreate",
                                                      "lvremove",  "vgremove",   "pvcreate", "zpool",
                                                      "partprobe", "nbd-client", "udisksctl"};
    const std::string& program = command.program;
    if (program == "losetup") return steers_loop(command);
    if (program == "mount") return has_mount_option(command, "loop");
    if (program == "kpartx") return !command.has_flag('l', {}) && command.words.size() > 1;
    if (program == "partx")
        return command.has_flag('a', "add") || command.has_flag('d', "delete") || command.has_flag('u', "update");
    if (program == "qemu-nbd") {
        return command.has_flag('c', "connect") || command.has_flag('d', "disconnect");
    }
    if (program == "dmsetup") return steers_mapper(command);
    if (program == "mdadm") return steers_raid(command);
    if (program == "cryptsetup") {
        const std::string verb = command.verb();
        return verb.starts_with("open") || verb.ends_with("Open") || verb.starts_with("close") ||
               verb.ends_with("Close");
    }
    return is_one_of(program, always);
}

bool writes_disk(const Command& command, const Surroundings&) {
    constexpr std::array<std::string_view, 10> tools{"parted", "sfdisk", "fdisk",      "sgdisk",       "gdisk",
                                                     "cfdisk", "wipefs", "blkdiscard", "grub-install", "mke2fs"};
    const auto is_disk = [](const std::string& path) {
        constexpr std::array<std::string_view, 8> no_disks{"/dev/null", "/dev/zero",   "/dev/random", "/dev/urandom",
                                                           "/dev/full", "/dev/stderr", "/dev/stdout", "/dev/tty"};
        return path.starts_with("/dev/") && !is_one_of(path, no_disks) && !path.starts_with("/dev/fd/");
    };
    const auto names_disk = [&](const Word& word) {
        return std::ranges::any_of(word.values, [&](const std::string& value) {
            return is_disk(value.starts_with("of=") ? value.substr(3) : command.program == "dd" ? "" : value);
        });
    };
    const bool is_tool = command.program == "dd" || command.program.starts_with("mkfs.") || command.program == ">" ||
                         is_one_of(command.program, tools);
    if (!is_tool || std::none_of(command.words.begin() + 1, command.words.end(), names_disk)) return false;
    return !(command.program == "parted" || command.program == "fdisk" || command.program == "sfdisk") ||
           !(command.has_flag('l', "list") || command.has_flag('d', "dump"));
}

bool makes_device_node(const Command& command, const Surroundings&) {
    if (command.program == "MAKEDEV") return true;
    if (command.program != "mknod") return false;
    const std::vector<Word> operands = command.operands("mZ");
    return operands.size() < 2 || operands[1].value() != "p";
}

bool swaps(const Command& command, const Surroundings&) {
    if (command.program == "swapoff") return true;
    return command.program == "swapon" && !command.has_flag('s', "show") && command.words.size() > 1;
}

bool removes_mounted_tree(const Command& command, const Surroundings& around) {
    if (!is_recursive_removal(command) || command.is_in_namespaces || command.is_in_chroot) return false;
    if (command.has_flag('\0', "one-file-system")) return false;
    for (const Word& operand : command.operands()) {
        for (const std::string& value : operand.values) {
            const std::string removed = without_end(value);
            const bool holds_mount = std::ranges::any_of(
                around.mounted, [&](const std::string& mounted) { return lies_in(mounted, removed); });
            if (holds_mount) return true;
        }
    }
    return false;
}

// rm -rf "$X/" with an empty X is rm -rf /.
bool removes_below_variable(const Command& command, const Surroundings&) {
    if (!is_recursive_removal(command) || command.is_in_namespaces || command.is_in_chroot) return false;
    return std::ranges::any_of(command.operands(), [](const Word& operand) {
        return std::ranges::any_of(operand.values, [](const std::string& value) {
            const std::size_t slash = value.find('/');
            const bool is_variable = value.starts_with('$') && value.size() > 1 && value[1] != '(' && value[1] != '{';
            return is_variable && slash != value.npos && (value.substr(slash) == "/" || value.substr(slash) == "/*");
        });
    });
}

}  // namespace stages::script::matches
