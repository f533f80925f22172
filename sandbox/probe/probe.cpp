#include "sandbox/probe/probe.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/kvm.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <fstream>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/mountinfo.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/plan/diagnosis.hpp"
#include "sandbox/probe/attempt.hpp"

namespace sandbox {
namespace {

using os::Fd;
using os::format;
using os::sys;

constexpr const char* kernel_needed = "Linux 5.12 or later";

Finding probe_kernel() {
    struct utsname name = {};
    ::uname(&name);
    return judge_kernel(static_cast<const char*>(name.release), static_cast<const char*>(name.machine));
}

// From one attempt: ok, or missing with the remedy.
Finding required(const char* name, const char* detail, const char* remedy, const std::function<void()>& body) {
    const Attempt tried = attempt({}, body);
    if (tried.works()) return {name, Status::ok, detail, {}};
    return {name, Status::missing, tried.problem.what, remedy};
}

// A filter that answers one harmless call, getpriority, with an error of our choice.
void use_seccomp() {
    std::array filter{
        sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTUNIQ),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {filter.size(), filter.data()};
    sys([] { return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }, "set no_new_privs");
    sys([&] { return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program); }, "install a seccomp filter");
    errno = 0;
    static_cast<void>(::getpriority(PRIO_PROCESS, 0));
    if (errno != ENOTUNIQ) throw os::SysError(errno, "find the filter at work");
}

// A filter that hands one call to a listener, as denials that explain themselves need it.
void use_notification() {
    std::array filter{sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {filter.size(), filter.data()};
    struct seccomp_notif_sizes sizes = {};
    sys([] { return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }, "set no_new_privs");
    sys([&] { return ::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes); },
        "ask for the size of notifications");
    const long listener =
        sys([&] { return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program); },
            "install a filter with a listener");
    const Fd owned(static_cast<int>(listener));
}

void use_openat2() {
    struct open_how how = {};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const Fd folder(
        static_cast<int>(sys([&] { return ::syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how); }, "openat2 /")));
}

// A size of 0 makes a clone3 that exists say EINVAL, and nothing more.
void use_clone3() {
    if (::syscall(SYS_clone3, nullptr, 0) == -1 && errno != EINVAL) throw os::SysError(errno, "clone3");
}

void use_pidfd() {
    const Fd self(static_cast<int>(sys([] { return ::syscall(SYS_pidfd_open, ::getpid(), 0); }, "pidfd_open")));
    sys([&] { return ::syscall(SYS_pidfd_send_signal, self.get(), 0, nullptr, 0); }, "pidfd_send_signal");
}

// A session keyring of one's own; keyctl(2).
void use_keyring() {
    sys([] { return ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr); }, "join a new session keyring");
}

// From one attempt: ok, or limited where a jail can be made without it.
Finding optional(const char* name, const char* detail, const char* otherwise, const std::function<void()>& body) {
    const Attempt tried = attempt({}, body);
    if (tried.works()) return {name, Status::ok, detail, {}};
    return {name, Status::limited, format("{}; {}", tried.problem.what, otherwise),
            explain_refusal(Refused::rights, tried.error, read_host_facts())};
}

Finding probe_libmount() {
    try {
        return {"libmount", Status::ok, format("reads {} mounts", os::read_mounts(os::HostFiles()).mounts.size()), {}};
    } catch (const std::exception& error) {
        return {"libmount", Status::missing, error.what(), "sudo apt-get install libmount1"};
    }
}

Finding probe_map_programs() {
    if (::geteuid() == 0) return {"uidmap", Status::ok, "root writes id maps itself", {}};
    for (const char* name : {"newuidmap", "newgidmap"}) {
        const std::string path = find_map_program(name);
        if (path.empty()) {
            return {"uidmap", Status::limited, format("{} is not in /usr/bin or /bin", name),
                    "sudo apt-get install uidmap"};
        }
        if (const auto flaw = find_flaw(path)) return {"uidmap", Status::limited, *flaw};
    }
    return {"uidmap", Status::ok, "newuidmap and newgidmap are there, with privilege", {}};
}

Finding probe_landlock() {
    const long abi =
        os::try_sys([] { return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION); });
    if (abi > 0) return {"Landlock", Status::ok, format("ABI {}", abi), {}};
    return {"Landlock", Status::limited, abi == -EOPNOTSUPP ? "compiled in, but switched off" : "not in this kernel",
            "start Linux with landlock in its lsm= list; namespaces fence the jail without it"};
}

Finding probe_kvm() {
    const long opened = os::try_sys([] { return ::open("/dev/kvm", O_RDWR | O_CLOEXEC); });
    if (opened < 0) {
        const std::string why = std::strerror(static_cast<int>(-opened));
        return {"/dev/kvm", Status::limited, format("{}; virtual machines are emulated, which is slow", why),
                opened == -EACCES
                    ? "sudo usermod -aG kvm $USER, and log in again"
                    : "switch virtualization on in the firmware, or nested virtualization on in the host"};
    }
    const Fd kvm(static_cast<int>(opened));
    const long machine = os::try_sys([&] { return ::ioctl(kvm.get(), KVM_CREATE_VM, 0); });
    if (machine < 0) {
        return {"/dev/kvm",
                Status::limited,
                format("opens, but makes no virtual machine ({})", std::strerror(static_cast<int>(-machine))),
                {}};
    }
    const Fd owned(static_cast<int>(machine));
    return {"/dev/kvm", Status::ok, "opens and makes a virtual machine; only a boot proves that it runs one", {}};
}

}  // namespace

Finding judge_kernel(const std::string& release, const std::string& machine) {
    int major = 0;
    int minor = 0;
    const char* const end = release.data() + release.size();
    // What the number promises is probed too; it is here for the reader of a bug report.
    const auto [dot, error] = std::from_chars(release.data(), end, major);
    const bool read =
        error == std::errc{} && dot != end && *dot == '.' && std::from_chars(dot + 1, end, minor).ec == std::errc{};
    const bool known = read && (major > 5 || (major == 5 && minor >= 12));
    return {"kernel", known ? Status::ok : Status::limited, format("Linux {} {}", release, machine),
            known ? "" : kernel_needed};
}

int landlock_abi() {
    const long abi =
        os::try_sys([] { return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION); });
    return abi > 0 ? static_cast<int>(abi) : 0;
}

std::vector<Finding> probe_machine(const std::string& store_path) {
    std::vector<Finding> findings{probe_kernel()};
    for (Finding& found : probe_jail(store_path)) findings.push_back(std::move(found));
    findings.push_back(probe_map_programs());
    findings.push_back(required(
        "seccomp filter", "installs and answers",
        "a kernel with CONFIG_SECCOMP_FILTER; in a container: --security-opt seccomp=unconfined", use_seccomp));
    findings.push_back(
        optional("seccomp notification", "a listener can be had", "denied calls are not reported", use_notification));
    findings.push_back(optional("openat2", "resolves beneath a root",
                                "paths are walked one component at a time instead", use_openat2));
    findings.push_back(optional("clone3", "is not refused", "clone(2) takes its place", use_clone3));
    findings.push_back(required("pidfd", "works", kernel_needed, use_pidfd));
    findings.push_back(optional("keyrings", "a session can have its own",
                                "the jail's filter keeps payloads from the caller's", use_keyring));
    findings.push_back(probe_libmount());
    findings.push_back(probe_landlock());
    findings.push_back(probe_kvm());
    return findings;
}

bool usable(const std::vector<Finding>& findings) {
    return std::none_of(findings.begin(), findings.end(),
                        [](const Finding& found) { return found.status == Status::missing; });
}

}  // namespace sandbox
