#include "stages/script/tools.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace stages::script {
namespace {

using Packaged = std::pair<std::string_view, std::string_view>;

constexpr Packaged packages[] = {
    {"apt-get", "apt"},
    {"bc", "bc"},
    {"cdebootstrap", "cdebootstrap"},
    {"cpio", "cpio"},
    {"curl", "curl"},
    {"debootstrap", "debootstrap"},
    {"dosfsck", "dosfstools"},
    {"dpkg-deb", "dpkg"},
    {"eatmydata", "eatmydata"},
    {"fakeroot", "fakeroot"},
    {"file", "file"},
    {"gdisk", "gdisk"},
    {"genisoimage", "genisoimage"},
    {"git", "git"},
    {"gpg", "gnupg"},
    {"grub-mkimage", "grub-common"},
    {"grub-mkrescue", "grub-common"},
    {"grub-mkstandalone", "grub-common"},
    {"isohybrid", "syslinux-utils"},
    {"jq", "jq"},
    {"lb", "live-build"},
    {"lz4", "lz4"},
    {"make", "make"},
    {"mcopy", "mtools"},
    {"mformat", "mtools"},
    {"mkdosfs", "dosfstools"},
    {"mke2fs", "e2fsprogs"},
    {"mkfs.btrfs", "btrfs-progs"},
    {"mkfs.ext2", "e2fsprogs"},
    {"mkfs.ext3", "e2fsprogs"},
    {"mkfs.ext4", "e2fsprogs"},
    {"mkfs.fat", "dosfstools"},
    {"mkfs.vfat", "dosfstools"},
    {"mkfs.xfs", "xfsprogs"},
    {"mksquashfs", "squashfs-tools"},
    {"mmd", "mtools"},
    {"mmdebstrap", "mmdebstrap"},
    {"parted", "parted"},
    {"pigz", "pigz"},
    {"qemu-img", "qemu-utils"},
    {"reprepro", "reprepro"},
    {"rsync", "rsync"},
    {"sbsign", "sbsigntool"},
    {"sfdisk", "fdisk"},
    {"sgdisk", "gdisk"},
    {"sparsecp", "sparse-utils"},
    {"syslinux", "syslinux"},
    {"unsquashfs", "squashfs-tools"},
    {"unzip", "unzip"},
    {"wget", "wget"},
    {"xorriso", "xorriso"},
    {"xxd", "xxd"},
    {"xz", "xz-utils"},
    {"zip", "zip"},
    {"zstd", "zstd"},
};
static_assert(std::ranges::is_sorted(packages));

constexpr std::string_view quiet[] = {".",          ":",
                                      "[",          "alias",
                                      "arch",       "awk",
                                      "basename",   "bc",
                                      "break",      "builtin",
                                      "caller",     "cat",
                                      "cd",         "command",
                                      "comm",       "continue",
                                      "cut",        "date",
                                      "declare",    "df",
                                      "dirname",    "dpkg-architecture",
                                      "dpkg-query", "du",
                                      "echo",       "egrep",
                                      "eval",       "exec",
                                      "exit",       "export",
                                      "expr",       "false",
                                      "fgrep",      "find",
                                      "findmnt",    "flock",
                                      "getent",     "getopt",
                                      "getopts",    "grep",
                                      "groups",     "hash",
                                      "head",       "hostname",
                                      "id",         "join",
                                      "let",        "local",
                                      "locale",     "logger",
                                      "ls",         "lsb_release",
                                      "lsblk",      "mkdir",
                                      "mktemp",     "mountpoint",
                                      "nproc",      "popd",
                                      "printf",     "pushd",
                                      "pwd",        "read",
                                      "readarray",  "mapfile",
                                      "readlink",   "readonly",
                                      "realpath",   "return",
                                      "sed",        "seq",
                                      "set",        "shift",
                                      "shopt",      "sleep",
                                      "sort",       "source",
                                      "stat",       "tail",
                                      "tee",        "test",
                                      "tput",       "tr",
                                      "trap",       "true",
                                      "tty",        "type",
                                      "typeset",    "ulimit",
                                      "umask",      "uname",
                                      "unset"};

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
    return std::ranges::find(words, word) != words.end();
}

}  // namespace

std::string_view package_of(std::string_view program) {
    const auto found = std::ranges::lower_bound(packages, program, {}, &Packaged::first);
    return found != std::end(packages) && found->first == program ? found->second : std::string_view();
}

bool asks_network(const Command& command) {
    constexpr std::array<std::string_view, 11> fetchers{
        "debootstrap", "cdebootstrap", "mmdebstrap", "multistrap",      "wget", "curl", "lb",
        "aria2c",      "rsync",        "scp",        "qemu-debootstrap"};
    constexpr std::array<std::string_view, 7> apt_verbs{"update",       "install",   "upgrade", "dist-upgrade",
                                                        "full-upgrade", "build-dep", "download"};
    constexpr std::array<std::string_view, 5> git_verbs{"clone", "fetch", "pull", "submodule", "ls-remote"};
    const auto has = [&](std::span<const std::string_view> verbs) {
        return std::ranges::any_of(command.operands("otcC"),
                                   [&](const Word& word) { return is_one_of(word.value(), verbs); });
    };
    const std::string& program = command.program;
    if (program == "apt-get" || program == "apt" || program == "aptitude") return has(apt_verbs);
    if (program == "git") return has(git_verbs);
    return is_one_of(program, fetchers);
}

bool is_quiet(std::string_view program) {
    return is_one_of(program, quiet);
}

}  // namespace stages::script
