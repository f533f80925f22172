#include "stages/script/rules.hpp"

#include <algorithm>
#include <array>

#include "stages/script/rule_matches.hpp"

namespace stages::script {
namespace {

constexpr std::string_view no_mounts =
    "mounts are denied, unless the profile allows them; a jail has its own /proc, /sys, /dev, /run and /tmp, and "
    "nothing in it outlives the stage";
constexpr std::string_view own_mounts =
    "nothing: a stage's jail has its own /proc, /sys, /dev, /run and /tmp, shows files by \"in\", and all of its "
    "mounts go "
    "with it";
constexpr std::string_view no_kernel = "the kernel is the host's, and a jail has no say in it: the command fails";

constexpr Rule table[] = {
    // --- What ends processes ---
    {"kill-by-mount",
     Harm::session,
     matches::kills_by_mount,
     "it kills whoever has a file open on that file system, and the file system of /dev, /run or / is everybody's: "
     "shells, "
     "the display server, sshd",
     "nothing: the processes of a stage are in a PID namespace of their own, which ends with the stage",
     {}},
    {"kill-all",
     Harm::session,
     matches::kills_all,
     "as root it kills every process of the machine but init",
     "nothing: what a stage starts ends with it",
     {}},
    {"kill-by-name",
     Harm::session,
     matches::kills_by_name,
     "it kills every process of that name or from that search, whoever started it and whatever it is used for",
     "nothing: what a stage starts ends with it, and in its jail such a search finds nothing else",
     {}},
    {"end-session", Harm::session, matches::ends_session, "it ends the session or the machine under the person at it",
     "nothing in a build; do it by hand, after it", "there is no session and no machine to end: the command fails",
     Unless::never, Carried::as_no_op},

    // --- Mounts and what is deleted over them ---
    {"forced-unmount", Harm::session, matches::unmounts_by_force,
     "it takes mounts away that are in use, and where they are shared (the default of systemd) those of the host with "
     "them: "
     "a bind of /dev loses the host's /dev/pts, and no terminal opens any more",
     "nothing: the mounts of a stage go with its mount namespace. What other scripts left: stagebox session unmount "
     "DIR",
     no_mounts, Unless::mounts_allowed, Carried::as_no_op},
    {"bind-of-host-tree", Harm::session, matches::mounts_host_tree,
     "what is then deleted, unmounted or killed below the target is the session's own /dev, /run, /proc or /sys",
     own_mounts, no_mounts, Unless::mounts_allowed, Carried::as_no_op},
    {"block-device", Harm::leftover, matches::makes_block_device,
     "the device stays when the script ends early, keeps its file busy, and its name may be another's next time",
     "images made from directories, without a device: mke2fs -d, mksquashfs, mformat and mcopy, xorriso",
     "there are no block devices in a jail, and none can be made: the command fails", Unless::never, Carried::as_no_op},
    {"mount", Harm::leftover, matches::mounts,
     "the mount stays on the host when the script ends early, and the next attempt works on top of it", own_mounts,
     no_mounts, Unless::mounts_allowed, Carried::as_no_op},
    {"unmount", Harm::none, matches::unmounts, {}, own_mounts, no_mounts, Unless::mounts_allowed, Carried::as_no_op},
    {"rm-over-mount",
     Harm::session,
     matches::removes_mounted_tree,
     "the script mounts something there: if that is still mounted, the files behind it are deleted, and with a bind of "
     "/dev "
     "or /run these are the host's",
     "nothing: a stage's tree is discarded with it, and inputs are read-only",
     {}},
    {"rm-below-variable",
     Harm::session,
     matches::removes_below_variable,
     "where the variable is empty, this deletes the whole of /",
     "in a stage nothing of the host can be reached; outside, \"${NAME:?}\" ends the script instead",
     {}},

    // --- Services ---
    {"service", Harm::session, matches::steers_service,
     "the unit is the host's: a display manager, a network manager or logind that restarts takes the session along",
     "nothing in a stage. What a build needs running beside its command is a stage's services; what it needs on the "
     "host has to be started by its user beforehand",
     "a jail has no service manager: the command fails", Unless::never, Carried::as_no_op},
    {"service-files",
     Harm::host,
     matches::changes_unit_files,
     "it changes what the host starts when it boots",
     "in a stage that starts from the image's tree, the same command changes the image",
     {},
     Unless::never,
     Carried::as_no_op},
    {"init-script",
     Harm::session,
     matches::runs_init_script,
     "the service is the host's: what depends on it, a session too, goes down with it",
     "nothing in a stage. What a build needs running beside its command is a stage's services; what it needs on the "
     "host has to be started by its user beforehand",
     {},
     Unless::never,
     Carried::as_no_op},
    {"init-script-in-chroot",
     Harm::leftover,
     matches::runs_init_script_in_chroot,
     "a daemon that starts in a chroot is a process of the host: it holds the mounts and lives on",
     "nothing: daemons that a stage starts end with it",
     {}},

    // --- Roots, ends ---
    {"chroot",
     Harm::leftover,
     matches::enters_chroot,
     "a chroot is a directory and no fence: what it starts sees the host's processes, can kill them, holds the mounts, "
     "and "
     "lives on after the script",
     "a stage whose \"from\" is the tree: the same commands without chroot. Inside a stage a chroot is harmless",
     {}},
    {"clean-up-in-trap",
     Harm::leftover,
     matches::cleans_up_in_trap,
     "what cleans up can be interrupted too: kill -9, a lost terminal or a second Ctrl-C leaves all of it; and after "
     "an early "
     "failure it works with variables that are not set yet",
     "nothing: when a stage ends, however it ends, the kernel takes its processes and mounts, and what it made is kept "
     "whole or not at all",
     {},
     Unless::never,
     Carried::as_no_op},
    {"ends-its-reader",
     Harm::session,
     matches::ends_who_reads_it,
     "this file has no #! line or is read by another with \".\": the first command that fails, or the exit, ends the "
     "shell that "
     "reads it, and with it a terminal or a login",
     "a stage's script is a program of its own; how a failure is taken is said by errors, retry and optional",
     {}},

    // --- The kernel and the host ---
    {"kernel-module", Harm::host, matches::loads_module, "it changes the running kernel of the host",
     "nothing; load it once, "
     "outside of the build, where a tool really needs it",
     no_kernel, Unless::never, Carried::as_no_op},
    {"binary-format", Harm::host, matches::registers_format,
     "the registration is the whole kernel's, and stays: it changes which programs every process of the host can start",
     "the package qemu-user-static registers once, with the flag F; stages of another architecture then run", no_kernel,
     Unless::never, Carried::as_no_op},
    {"kernel-setting", Harm::host, matches::sets_kernel,
     "it changes the host's kernel for everybody, and nothing puts it back", "nothing", no_kernel, Unless::never,
     Carried::as_no_op},
    {"network", Harm::session, matches::changes_network,
     "it changes the host's network: a connection by ssh, or the way to the files of a home, goes with it",
     "network = \"user\" gives a stage a network of its own", "a jail may not change its network: the command fails",
     Unless::never, Carried::as_no_op},
    {"identity", Harm::host, matches::changes_identity,
     "it changes the host's name, clock or language; in a chroot too, since these are not the root's",
     "hostname in a profile; for an image, the files of its tree", "a jail may not change them: the command fails",
     Unless::never, Carried::as_no_op},
    {"host-packages", Harm::host, matches::changes_packages,
     "it changes the packages of the host, and restarts services of it as they ask for",
     "needs = { PROGRAM = \"PACKAGE\" }: what is missing is named before the first stage runs",
     "the stage starts from the host, whose /usr it has read-only: the command fails", Unless::own_root,
     Carried::as_no_op},
    {"host-accounts",
     Harm::host,
     matches::changes_accounts,
     "it changes the accounts of the host",
     "in a stage that starts from the image's tree, the same command changes the image",
     {},
     Unless::never,
     Carried::as_no_op},
    {"disk", Harm::host, matches::writes_disk, "it writes to a disk of the host, and disks change their names",
     "a file below /out, written to a disk by hand", "there are no disks in a jail: the command fails", Unless::never,
     Carried::as_no_op},
    {"host-file",
     Harm::host,
     matches::writes_host_file,
     "it changes a file of the host",
     "the host's files are out of a stage's reach: what it writes there is gone when it ends",
     {}},
    {"device-node", Harm::leftover, matches::makes_device_node,
     "a device node in a tree is the device itself: what writes to it there, or makes it world-writable, does so to "
     "the host's",
     "a jail's /dev has those that programs need; a booted system makes its own",
     "no device can be made with ids = \"range\": the command fails", Unless::single_id, Carried::as_no_op},
    {"swap", Harm::host, matches::swaps, "it changes the memory of the whole host",
     "nothing; limits.memory says what a stage may use", "a jail may not change it: the command fails", Unless::never,
     Carried::as_no_op},

    // --- How the script is run ---
    {"root-rights", Harm::host, matches::takes_rights,
     "everything that follows it acts on the host with root's rights, a mistake too",
     "nothing: the command of a stage is root in its jail, and nobody outside",
     "a jail's command is root already, and no program of it can become more; the host's sudoers are not there",
     Unless::never, Carried::without_itself},
    {"namespaces",
     Harm::none,
     matches::makes_namespaces,
     {},
     "nothing: the stage's jail has them",
     "further namespaces are denied, unless the profile allows them",
     Unless::namespaces_allowed,
     Carried::without_itself},
    {"container",
     Harm::none,
     matches::runs_container,
     {},
     "a stage that starts from the tree, or from an image",
     "a jail has no way to a container engine, and makes no further namespaces unless the profile allows them",
     Unless::namespaces_allowed,
     Carried::as_no_op},
    {"question",
     Harm::none,
     matches::asks_person,
     {},
     "a variable of the pipeline: [vars], and --var NAME=VALUE",
     "nobody is there to answer: standard input is empty",
     Unless::never,
     Carried::as_no_op},
};

}  // namespace

std::string_view words_of(Harm harm) {
    constexpr std::array<std::string_view, 4> words{"to the session", "to the host", "of leftovers", "in a stage"};
    return words.at(static_cast<std::size_t>(harm));
}

std::span<const Rule> rules() {
    return table;
}

const Rule* rule_for(const Command& command, const Surroundings& around) {
    const auto found = std::ranges::find_if(table, [&](const Rule& rule) { return rule.matches(command, around); });
    return found == std::end(table) ? nullptr : found;
}

Command command_of(const Write& write) {
    return {.program = ">",
            .words = {write.target, write.target},
            .span = write.target.span,
            .function = write.function,
            .is_in_chroot = write.is_in_chroot};
}

}  // namespace stages::script
