#include "sandbox/profile/permissions.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <variant>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox {
namespace {

constexpr std::array<std::string_view, 4> namespace_calls = {"clone", "clone3", "setns", "unshare"};
constexpr std::array<std::string_view, 11> mount_calls = {"fsconfig",   "fsmount",       "fsopen",     "fspick",
                                                          "mount",      "mount_setattr", "move_mount", "open_tree",
                                                          "pivot_root", "umount",        "umount2"};
constexpr std::array<std::string_view, 5> ptrace_calls = {"kcmp", "pidfd_getfd", "process_vm_readv",
                                                          "process_vm_writev", "ptrace"};
constexpr std::array<std::string_view, 3> keyring_calls = {"add_key", "keyctl", "request_key"};

constexpr auto allow_list = PermissionSource::allow_list;
constexpr auto comparison = PermissionSource::comparison;
constexpr auto pipeline = PermissionSource::pipeline;

constexpr auto words = std::to_array<PermissionWord>({
    {Permission::host_network, allow_list, "host-network", "the host's network", {}},
    {Permission::devices, allow_list, "devices", "devices of the host", {}},
    {Permission::nested_namespaces, allow_list, "nested-namespaces", "namespaces of its own inside the jail",
     namespace_calls},
    {Permission::mounts, allow_list, "mounts", "mounts in its own namespaces", mount_calls},
    {Permission::ptrace, allow_list, "ptrace", "looking into its own processes", ptrace_calls},
    {Permission::new_keyrings, allow_list, "new-keyrings", "the kernel's keyrings", keyring_calls},
    {Permission::no_landlock, allow_list, "no-landlock", "no second fence by Landlock", {}},
    {Permission::capabilities, comparison, "capabilities", "capabilities beyond those of the profiles that ship", {}},
    {Permission::system_calls,
     comparison,
     "system-calls",
     "a filter of system calls that is not one of those that ship",
     {}},
    {Permission::proc_paths, comparison, "proc-paths", "parts of /proc that the profiles that ship close", {}},
    {Permission::host_services, pipeline, "host-services", "starting services of the host", {}},
    {Permission::files_outside, pipeline, "files-outside", "files outside the git work tree of the pipeline file", {}},
    {Permission::container_proc,
     pipeline,
     "container-proc",
     "the /proc of the container around it, in place of one of its own",
     {}},
});

// Every ABI of the machine: a fence around one of them would be none.
std::vector<std::string> every_abi() {
#if defined(__x86_64__)
    return {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#else
    return {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#endif
}

FilterRule closing(std::string_view word, std::vector<std::string> calls, std::uint16_t error) {
    return {std::string(word), std::move(calls), {FilterVerdict::fail, error}, {}};
}

// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: conditions on one argument mean any of them. The bit
// of CLONE_NEWTIME belongs to the exit signal here. clone3 keeps its flags in memory, where no filter can look.
void close_namespaces(std::string_view word, std::vector<FilterRule>& rules) {
    rules.push_back(closing(word, {"setns", "unshare"}, EPERM));
    rules.push_back(closing(word, {"clone3"}, ENOSYS));
    FilterRule clone = closing(word, {"clone"}, EPERM);
    for (const std::uint64_t flag :
         {0x20000U, 0x2000000U, 0x4000000U, 0x8000000U, 0x10000000U, 0x20000000U, 0x40000000U}) {
        clone.conditions.push_back({0, FilterOperator::masked_equal, flag, flag});
    }
    rules.push_back(std::move(clone));
}

}  // namespace

std::span<const PermissionWord> permission_words() {
    return words;
}

const PermissionWord& row_of(Permission which) {
    return *std::ranges::find(words, which, &PermissionWord::which);
}

std::string_view word_of(Permission which) {
    return row_of(which).word;
}

std::vector<std::string_view> words_from(PermissionSource source) {
    std::vector<std::string_view> result;
    for (const PermissionWord& one : words) {
        if (one.source == source) result.push_back(one.word);
    }
    return result;
}

std::optional<Permission> permission_named(std::string_view word) {
    const auto* const it = std::ranges::find(words, word, &PermissionWord::word);
    return it == words.end() ? std::nullopt : std::optional(it->which);
}

std::optional<Permission> permission_of_call(std::string_view call) {
    for (const PermissionWord& one : words) {
        // Without the word, clone is open all the same, for what makes no namespace.
        if (call != "clone" && std::ranges::find(one.calls, call) != one.calls.end()) return one.which;
    }
    return std::nullopt;
}

std::vector<std::string_view> words_of(const Permissions& granted) {
    std::vector<std::string_view> result;
    for (const PermissionWord& one : words) {
        if (granted.has(one.which)) result.push_back(one.word);
    }
    return result;
}

FilterRules deny_rules(const Permissions& allowed) {
    FilterRules rules;
    rules.otherwise = {FilterVerdict::allow, 0};
    rules.architectures = every_abi();
    for (const PermissionWord& one : words) {
        if (allowed.has(one.which) || one.calls.empty()) continue;
        if (one.which == Permission::nested_namespaces) {
            close_namespaces(one.word, rules.rules);
        } else {
            rules.rules.push_back(closing(one.word, {one.calls.begin(), one.calls.end()}, EPERM));
        }
    }
    return rules;
}

std::vector<std::string> granted_calls(const Permissions& allowed) {
    std::vector<std::string> calls;
    for (const PermissionWord& one : words) {
        if (allowed.has(one.which)) calls.insert(calls.end(), one.calls.begin(), one.calls.end());
    }
    return calls;
}

Permissions permissions_in_force(const BuildSpec& spec) {
    Permissions in_force = spec.allow.granted;
    in_force.drop(Permission::host_network);
    in_force.drop(Permission::devices);
    if (spec.network == Network::host) in_force.add(Permission::host_network);
    const bool has_device =
        std::ranges::any_of(spec.mounts, [](const Mount& mount) { return std::holds_alternative<Device>(mount); });
    if (has_device) in_force.add(Permission::devices);
    return in_force;
}

void check_permissions(const BuildSpec& spec, std::string_view profile) {
    const Permissions used = permissions_in_force(spec);
    for (const Permission which : {Permission::host_network, Permission::devices}) {
        if (!used.has(which) || spec.allow.granted.has(which)) continue;
        const PermissionWord& word = row_of(which);
        throw PermissionError(os::format(
            "the profile {0} does not allow {1}; use one that has allow = [\"{2}\"], as build has, or one of "
            "your own that extends {0} with allow-add = [\"{2}\"]",
            profile, word.meaning, word.word));
    }
}

}  // namespace sandbox
