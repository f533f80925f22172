#include "sandbox/profile/permissions.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <variant>

#include "sandbox/config/text.hpp"
#include "sandbox/os/format.hpp"

namespace sandbox {
namespace {

constexpr std::array<std::string_view, 4> namespace_calls = {"clone", "clone3", "setns", "unshare"};
constexpr std::array<std::string_view, 11> mount_calls = {"fsconfig",   "fsmount",       "fsopen",     "fspick",
                                                          "mount",      "mount_setattr", "move_mount", "open_tree",
                                                          "pivot_root", "umount",        "umount2"};
constexpr std::array<std::string_view, 5> ptrace_calls = {"kcmp", "pidfd_getfd", "process_vm_readv",
                                                          "process_vm_writev", "ptrace"};
constexpr std::array<std::string_view, 3> keyring_calls = {"add_key", "keyctl", "request_key"};

constexpr std::array<LooseningWord, 7> words = {{
    {Loosening::host_network, "host-network", "the host's network", {}},
    {Loosening::devices, "devices", "devices of the host", {}},
    {Loosening::nested_namespaces, "nested-namespaces", "namespaces of its own inside the jail", namespace_calls},
    {Loosening::mounts, "mounts", "mounts in its own namespaces", mount_calls},
    {Loosening::ptrace, "ptrace", "looking into its own processes", ptrace_calls},
    {Loosening::new_keyrings, "new-keyrings", "the kernel's keyrings", keyring_calls},
    {Loosening::no_landlock, "no-landlock", "no second fence by Landlock", {}},
}};

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

// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: conditions on one argument mean any of them. The bit of
// CLONE_NEWTIME belongs to the exit signal here. clone3 keeps its flags in memory, where no filter can look.
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

std::span<const LooseningWord> loosening_words() {
    return words;
}

std::string_view word_of(Loosening which) {
    return std::ranges::find(words, which, &LooseningWord::which)->word;
}

std::optional<Loosening> loosening_named(std::string_view word) {
    const auto* const it = std::ranges::find(words, word, &LooseningWord::word);
    return it == words.end() ? std::nullopt : std::optional(it->which);
}

std::optional<Loosening> loosening_of_call(std::string_view call) {
    for (const LooseningWord& one : words) {
        // Without the word, clone is open all the same, for what makes no namespace.
        if (call != "clone" && std::ranges::find(one.calls, call) != one.calls.end()) return one.which;
    }
    return std::nullopt;
}

std::vector<std::string_view> words_of(const Loosenings& loosened) {
    std::vector<std::string_view> result;
    for (const LooseningWord& one : words) {
        if (loosened.has(one.which)) result.push_back(one.word);
    }
    return result;
}

FilterRules fence_rules(const Loosenings& allowed) {
    FilterRules rules;
    rules.otherwise = {FilterVerdict::allow, 0};
    rules.architectures = every_abi();
    for (const LooseningWord& one : words) {
        if (allowed.has(one.which) || one.calls.empty()) continue;
        if (one.which == Loosening::nested_namespaces) {
            close_namespaces(one.word, rules.rules);
        } else {
            rules.rules.push_back(closing(one.word, {one.calls.begin(), one.calls.end()}, EPERM));
        }
    }
    return rules;
}

std::vector<std::string> opened_calls(const Loosenings& allowed) {
    std::vector<std::string> calls;
    for (const LooseningWord& one : words) {
        if (allowed.has(one.which)) calls.insert(calls.end(), one.calls.begin(), one.calls.end());
    }
    return calls;
}

Loosenings loosenings_in_force(const Spec& spec) {
    Loosenings in_force = spec.allow.loosened;
    in_force.drop(Loosening::host_network);
    in_force.drop(Loosening::devices);
    if (spec.network == Network::host) in_force.add(Loosening::host_network);
    const bool has_device =
        std::ranges::any_of(spec.mounts, [](const Mount& mount) { return std::holds_alternative<Device>(mount); });
    if (has_device) in_force.add(Loosening::devices);
    return in_force;
}

void check_loosenings(const Spec& spec, std::string_view profile) {
    const Loosenings used = loosenings_in_force(spec);
    for (const Loosening which : {Loosening::host_network, Loosening::devices}) {
        if (!used.has(which) || spec.allow.loosened.has(which)) continue;
        const LooseningWord& word = *std::ranges::find(words, which, &LooseningWord::which);
        throw LooseningError(os::format(
            "the profile {0} does not allow {1}; use one that has allow = [\"{2}\"], as build has, or one of "
            "your own that extends {0} with allow-add = [\"{2}\"]",
            profile, word.meaning, word.word));
    }
}

}  // namespace sandbox
