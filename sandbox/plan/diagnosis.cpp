#include "sandbox/plan/diagnosis.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox {
namespace {

using os::format;

// Empty where there is none, or it cannot be read: the kernel has no label without a security module.
std::string content_of(int folder, const std::string& path) {
    return os::read_whole(folder, path).value_or("");
}

// The first line, without what SELinux ends its labels with. What is longer than a page is no setting.
std::string first_line(int folder, const std::string& path) {
    constexpr std::size_t longest = 4096;
    const std::string text = content_of(folder, path);
    const std::string line = text.substr(0, text.find_first_of(std::string_view("\0\n", 2)));
    return line.size() > longest ? std::string() : line;
}

// The value of a line "key:\tvalue" of /proc/self/status.
std::string_view status_field(std::string_view status, std::string_view key) {
    for (const std::string_view line : os::lines(status)) {
        if (line.starts_with(key) && line.substr(key.size()).starts_with(":\t")) return line.substr(key.size() + 2);
    }
    return {};
}

// No capability where it is no number.
std::uint64_t parse_capabilities(std::string_view text) {
    std::uint64_t set = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), set, 16);
    return error == std::errc{} && stop == text.data() + text.size() ? set : 0;
}

std::string container_engine(const os::HostFiles& host) {
    if (::faccessat(host.root(), "run/.containerenv", F_OK, 0) == 0) return "podman";
    if (::faccessat(host.root(), ".dockerenv", F_OK, 0) == 0) return "Docker";
    return std::getenv("KUBERNETES_SERVICE_HOST") != nullptr ? "Kubernetes" : "";
}

// Where / is no mount point, this process sits in a chroot: clone(2) with CLONE_NEWUSER answers EPERM there.
bool is_in_chroot(const os::HostFiles& host) {
    struct statx root {};
    if (::statx(host.root(), "", AT_EMPTY_PATH, 0, &root) != 0) return false;
    const bool is_told = (root.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0;
    return is_told && (root.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
}

std::string own_program(const os::HostFiles& host) {
    std::array<char, 4096> path{};
    const ssize_t length = ::readlinkat(host.proc(), "self/exe", path.data(), path.size());
    return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : "/usr/bin/stagebox";
}

// One option or setting for each kind of container.
std::string container_flag(const HostFacts& facts, const char* docker, const char* podman, const char* kubernetes) {
    if (facts.container == "Docker") return format("docker run {}", docker);
    if (facts.container == "podman") return format("podman run {}", podman);
    if (facts.container == "Kubernetes") return kubernetes;
    return format("in a container: docker run {}, podman run {}, or in Kubernetes {}", docker, podman, kubernetes);
}

std::string filter_refuses(const HostFacts& facts) {
    return "a system call filter (seccomp) around this process refuses it: start the container with " +
           container_flag(facts, "--security-opt seccomp=unconfined", "--security-opt seccomp=unconfined",
                          "securityContext.seccompProfile.type: Unconfined");
}

// profiles/apparmor/stagebox, for the program where it is.
std::string apparmor_takes(const HostFacts& facts) {
    return format(
        "AppArmor gives user namespaces no rights here (kernel.apparmor_restrict_unprivileged_userns = 1) but to "
        "programs "
        "whose profile allows it: echo 'abi <abi/4.0>, profile stagebox {} flags=(unconfined) {{ userns, }}' | sudo "
        "tee "
        "/etc/apparmor.d/stagebox && sudo apparmor_parser -r /etc/apparmor.d/stagebox",
        facts.program);
}

bool is_confined(const HostFacts& facts) {
    return !facts.label.empty() && !facts.label.starts_with("unconfined");
}

std::string label_refuses(const HostFacts& facts) {
    return format("the security module confines this process as \"{}\": start the container with ", facts.label) +
           container_flag(facts, "--security-opt apparmor=unconfined",
                          "--security-opt apparmor=unconfined --security-opt label=disable",
                          "securityContext.appArmorProfile.type: Unconfined");
}

// Who answers EPERM, the likelier first.
std::string who_forbids(const HostFacts& facts) {
    if (facts.apparmor_restricts == "1" && !facts.label.starts_with("stagebox")) return apparmor_takes(facts);
    if (facts.is_filtered) return filter_refuses(facts);
    if (is_confined(facts)) return label_refuses(facts);
    return {};
}

std::string namespace_refused(int error, const HostFacts& facts) {
    switch (error) {
        case ENOSPC:
            if (facts.max_user_namespaces == "0") {
                return "user namespaces are switched off (user.max_user_namespaces = 0): sudo sysctl -w "
                       "user.max_user_namespaces=15000; in a container or a jail, where it was started";
            }
            return format(
                "all user namespaces that are allowed exist already (user.max_user_namespaces = {}), or 32 are nested: "
                "end what holds them, or sudo sysctl -w user.max_user_namespaces=15000",
                facts.max_user_namespaces);
        case EUSERS: return "32 user namespaces are nested already, and the kernel allows no more";
        case EINVAL:
            return "the kernel lacks one of the namespaces: it needs CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS";
        case ENOSYS: return filter_refuses(facts);
        case EPERM:
        case EACCES: break;
        default: return {};
    }
    if (facts.unprivileged_clone == "0" && (facts.capabilities >> CAP_SYS_ADMIN & 1U) == 0) {
        return "this kernel keeps user namespaces for root (kernel.unprivileged_userns_clone = 0): sudo sysctl -w "
               "kernel.unprivileged_userns_clone=1";
    }
    if (facts.is_in_chroot)
        return "the kernel makes no user namespace in a chroot: start it outside, or after pivot_root(2)";
    const std::string who = who_forbids(facts);
    return who.empty() ? "a security module forbids user namespaces to this process: `stagebox doctor` shows what works"
                       : who;
}

std::string whole_proc(const HostFacts& facts) {
    return container_flag(facts, "--security-opt systempaths=unconfined", "--security-opt unmask=ALL",
                          "securityContext.procMount: Unmasked (with hostUsers: false)");
}

std::string proc_refused(const HostFacts& facts) {
    return "the kernel gives a fresh /proc only to who sees a whole one, and parts of this one are covered, as in a "
           "container: start it with " +
           whole_proc(facts) +
           "; or ask for the container's own with `stagebox run --ro-bind /proc /proc`, which shows its processes";
}

}  // namespace

HostFacts read_host_facts(const os::HostFiles& host) {
    HostFacts facts;
    facts.max_user_namespaces = first_line(host.proc(), "sys/user/max_user_namespaces");
    facts.unprivileged_clone = first_line(host.proc(), "sys/kernel/unprivileged_userns_clone");
    facts.apparmor_restricts = first_line(host.proc(), "sys/kernel/apparmor_restrict_unprivileged_userns");
    facts.label = first_line(host.proc(), "self/attr/current");
    facts.container = container_engine(host);
    facts.program = own_program(host);
    facts.uid = ::geteuid();
    const std::string status = content_of(host.proc(), "self/status");
    facts.capabilities = parse_capabilities(status_field(status, "CapEff"));
    facts.is_filtered = status_field(status, "Seccomp") == "2";
    facts.is_in_chroot = is_in_chroot(host);
    return facts;
}

std::string explain_refusal(Refused refused, int error, const HostFacts& facts) {
    const bool is_forbidden = error == EPERM || error == EACCES;
    switch (refused) {
        case Refused::user_namespace: return namespace_refused(error, facts);
        case Refused::fresh_proc: return is_forbidden ? proc_refused(facts) : "";
        case Refused::proc_sys:
            return "/proc/sys is read-only or hidden here, as in a container, so further user namespaces cannot be "
                   "switched off in the jail: start the container with " +
                   whole_proc(facts) + "; or take a profile that allows nested namespaces";
        case Refused::rights: break;
    }
    if (error == ENOSYS) {
        return facts.is_filtered ? filter_refuses(facts) : "the kernel is too old: Linux 5.12 or later is needed";
    }
    return is_forbidden ? who_forbids(facts) : "";
}

}  // namespace sandbox
