// Who refuses what a jail needs, and what to do about it. The kernel says EPERM for a dozen reasons; the facts of this
// process and this machine tell them apart. Reads /proc; tries nothing (probe/probe.hpp does).
#pragma once
#include <cstdint>
#include <string>

#include "sandbox/os/host_files.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// What decides; each field as the kernel gives it, empty where the file is not there or has no such value.
struct HostFacts {
    std::string max_user_namespaces;  // /proc/sys/user: the limit in this user namespace
    std::string unprivileged_clone;   // /proc/sys/kernel/unprivileged_userns_clone, of Debian's kernels
    std::string apparmor_restricts;   // /proc/sys/kernel/apparmor_restrict_unprivileged_userns, Ubuntu 23.10 and later
    std::string label;                // /proc/self/attr/current: the security module's label of this process
    std::string container;            // "Docker", "podman", "Kubernetes" or ""
    std::string program;              // this program's file
    std::uint32_t uid = 0;            // effective
    std::uint64_t capabilities = 0;   // effective
    bool is_filtered = false;         // a seccomp filter is in force
    bool is_in_chroot = false;
};
[[nodiscard]] HostFacts read_host_facts(const os::HostFiles& host = {});

// What was refused.
enum class Refused : std::uint8_t {
    user_namespace,  // clone or unshare with CLONE_NEWUSER
    rights,          // what its root should be allowed: ids, mounts, other namespaces, network devices
    fresh_proc,      // a procfs of the jail's own
    proc_sys,        // writing to /proc/sys, to close further user namespaces
};

// Which of the reasons it is, and the command or the setting that mends it: one sentence, the diagnosis before the
// remedy. Empty where the error is none of those known.
[[nodiscard]] std::string explain_refusal(Refused refused, int error, const HostFacts& facts);

// Finds by trying, in a throw-away child with these ids, which of the calls that mounts are made of is refused:
// "fsopen(2) answers Operation not permitted". Empty: none. The process must have one thread.
[[nodiscard]] std::string find_refused_call(const IdMap& ids);

}  // namespace sandbox
