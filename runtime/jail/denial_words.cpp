#include "runtime/jail/denial_words.hpp"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::jail {
namespace {

using sandbox::os::format;

// How an argument is shown. `hidden`: a pointer to what is nobody's business, or of no use; "…".
enum class Shown : std::uint8_t {
    nothing,  // no argument here, nor after it
    hidden,
    path,
    number,
    hex,
    octal,
    directory,  // a descriptor, or AT_FDCWD
    open_flags,
    mount_flags,
    clone_flags,
    family,
    socket_type,
    ioctl_request,
    ptrace_request,
    prctl_option,
    keyctl_operation,
};
using enum Shown;

struct Signature {
    std::string_view name;
    std::array<Shown, 6> arguments;
    int telling = -1;  // see telling_argument()
};

constexpr Signature signatures[] = {
    {"acct", {path}},
    {"add_key", {path, hidden, hidden, number, number}},
    {"adjtimex", {hidden}},
    {"bpf", {number, hidden, number}, 0},
    {"chmod", {path, octal}},
    {"chown", {path, number, number}},
    {"chroot", {path}},
    {"clock_adjtime", {number, hidden}},
    {"clock_settime", {number, hidden}},
    {"clone", {clone_flags, hidden, hidden, hidden, hidden}, 0},
    {"delete_module", {path, hex}},
    {"execve", {path, hidden, hidden}},
    {"execveat", {directory, path, hidden, hidden, hex}},
    {"faccessat", {directory, path, hex}},
    {"faccessat2", {directory, path, hex, hex}},
    {"fchmodat", {directory, path, octal}},
    {"fchownat", {directory, path, number, number, hex}},
    {"finit_module", {number, hidden, hex}},
    {"fsconfig", {number, number, hidden, hidden, number}},
    {"fsmount", {number, hex, hex}},
    {"fsopen", {path, hex}},
    {"fspick", {directory, path, hex}},
    {"init_module", {hidden, number, hidden}},
    {"io_uring_setup", {number, hidden}},
    {"ioctl", {number, ioctl_request, hidden}, 1},
    {"ioperm", {hex, number, number}},
    {"iopl", {number}},
    {"kcmp", {number, number, number, number, number}},
    {"kexec_load", {hidden, number, hidden, hex}},
    {"keyctl", {keyctl_operation, hidden, hidden, hidden, hidden}, 0},
    {"lchown", {path, number, number}},
    {"linkat", {directory, path, directory, path, hex}},
    {"mkdir", {path, octal}},
    {"mkdirat", {directory, path, octal}},
    {"mknod", {path, octal, hex}},
    {"mknodat", {directory, path, octal, hex}},
    {"mount", {path, path, path, mount_flags, hidden}},
    {"mount_setattr", {directory, path, hex, hidden, number}},
    {"move_mount", {directory, path, directory, path, hex}},
    {"name_to_handle_at", {directory, path, hidden, hidden, hex}},
    {"open", {path, open_flags, octal}},
    {"open_by_handle_at", {number, hidden, open_flags}},
    {"open_tree", {directory, path, hex}},
    {"openat", {directory, path, open_flags, octal}},
    {"perf_event_open", {hidden, number, number, number, hex}},
    {"personality", {hex}, 0},
    {"pidfd_getfd", {number, number, hex}},
    {"pivot_root", {path, path}},
    {"prctl", {prctl_option, hidden, hidden, hidden, hidden}, 0},
    {"process_vm_readv", {number, hidden, number, hidden, number, hex}},
    {"process_vm_writev", {number, hidden, number, hidden, number, hex}},
    {"ptrace", {ptrace_request, number, hidden, hidden}, 0},
    {"quotactl", {hex, path, number, hidden}},
    {"readlinkat", {directory, path, hidden, number}},
    {"reboot", {hex, hex, hex, hidden}},
    {"renameat2", {directory, path, directory, path, hex}},
    {"request_key", {path, hidden, hidden, number}},
    {"setdomainname", {hidden, number}},
    {"sethostname", {hidden, number}},
    {"setns", {number, clone_flags}, 1},
    {"settimeofday", {hidden, hidden}},
    {"setxattr", {path, path, hidden, number, hex}},
    {"socket", {family, socket_type, number}, 0},
    {"socketpair", {family, socket_type, number, hidden}, 0},
    {"statfs", {path, hidden}},
    {"swapoff", {path}},
    {"swapon", {path, hex}},
    {"symlinkat", {path, directory, path}},
    {"syslog", {number, hidden, number}, 0},
    {"umount", {path}},
    {"umount2", {path, hex}},
    {"unlinkat", {directory, path, hex}},
    {"unshare", {clone_flags}, 0},
    {"userfaultfd", {hex}},
};

// "mount (x86)": the order of arguments is the same in the ABIs that a filter lets in.
const Signature* find(std::string_view name) {
    name = name.substr(0, name.find(' '));
    const auto found = std::ranges::lower_bound(signatures, name, {}, &Signature::name);
    return found != std::end(signatures) && found->name == name ? found : nullptr;
}
static_assert(std::ranges::is_sorted(signatures, {}, &Signature::name));

struct Word {
    std::uint64_t value;
    std::string_view name;
};
#define WORD(name)                              \
    Word {                                      \
        static_cast<std::uint64_t>(name), #name \
    }  // NOLINT(cppcoreguidelines-macro-usage): a name as text

constexpr Word open_words[] = {WORD(O_WRONLY),  WORD(O_RDWR),  WORD(O_CREAT),     WORD(O_EXCL),
                               WORD(O_NOCTTY),  WORD(O_TRUNC), WORD(O_APPEND),    WORD(O_NONBLOCK),
                               WORD(O_CLOEXEC), WORD(O_PATH),  WORD(O_DIRECTORY), WORD(O_NOFOLLOW)};
constexpr Word mount_words[] = {WORD(MS_RDONLY),  WORD(MS_NOSUID),     WORD(MS_NODEV),   WORD(MS_NOEXEC),
                                WORD(MS_REMOUNT), WORD(MS_NOATIME),    WORD(MS_BIND),    WORD(MS_MOVE),
                                WORD(MS_REC),     WORD(MS_UNBINDABLE), WORD(MS_PRIVATE), WORD(MS_SLAVE),
                                WORD(MS_SHARED),  WORD(MS_RELATIME)};
constexpr Word clone_words[] = {WORD(CLONE_NEWNS),   WORD(CLONE_NEWCGROUP), WORD(CLONE_NEWUTS),  WORD(CLONE_NEWIPC),
                                WORD(CLONE_NEWUSER), WORD(CLONE_NEWPID),    WORD(CLONE_NEWNET),  WORD(CLONE_VM),
                                WORD(CLONE_FS),      WORD(CLONE_FILES),     WORD(CLONE_SIGHAND), WORD(CLONE_VFORK),
                                WORD(CLONE_THREAD)};
constexpr Word family_words[] = {
    WORD(AF_UNIX),  WORD(AF_INET),      WORD(AF_INET6),     WORD(AF_NETLINK), WORD(AF_PACKET), WORD(AF_ALG),
    WORD(AF_VSOCK), WORD(AF_BLUETOOTH), WORD(AF_CAN),       WORD(AF_TIPC),    WORD(AF_RDS),    WORD(AF_KEY),
    WORD(AF_XDP),   WORD(AF_NFC),       WORD(AF_KCM),       WORD(AF_QIPCRTR), WORD(AF_SMC),    WORD(AF_PPPOX),
    WORD(AF_X25),   WORD(AF_AX25),      WORD(AF_APPLETALK), WORD(AF_IPX),     WORD(AF_RXRPC),  WORD(AF_IEEE802154)};
constexpr Word socket_types[] = {WORD(SOCK_STREAM), WORD(SOCK_DGRAM),     WORD(SOCK_RAW),
                                 WORD(SOCK_RDM),    WORD(SOCK_SEQPACKET), WORD(SOCK_PACKET)};
constexpr Word requests[] = {WORD(TIOCSTI), WORD(TIOCLINUX), WORD(TIOCSETD), WORD(TIOCSCTTY), WORD(TIOCCONS)};
constexpr Word ptrace_requests[] = {WORD(PTRACE_TRACEME),  WORD(PTRACE_PEEKDATA), WORD(PTRACE_POKEDATA),
                                    WORD(PTRACE_ATTACH),   WORD(PTRACE_SEIZE),    WORD(PTRACE_SETOPTIONS),
                                    WORD(PTRACE_GETREGSET)};
constexpr Word prctl_options[] = {WORD(PR_SET_MM),      WORD(PR_SET_PTRACER),  WORD(PR_SET_DUMPABLE),
                                  WORD(PR_SET_SECCOMP), WORD(PR_CAPBSET_DROP), WORD(PR_CAP_AMBIENT),
                                  WORD(PR_SET_KEEPCAPS)};
constexpr Word key_operations[] = {WORD(KEYCTL_GET_KEYRING_ID), WORD(KEYCTL_JOIN_SESSION_KEYRING),
                                   WORD(KEYCTL_UPDATE),         WORD(KEYCTL_REVOKE),
                                   WORD(KEYCTL_CHOWN),          WORD(KEYCTL_SETPERM),
                                   WORD(KEYCTL_DESCRIBE),       WORD(KEYCTL_CLEAR),
                                   WORD(KEYCTL_LINK),           WORD(KEYCTL_UNLINK),
                                   WORD(KEYCTL_SEARCH),         WORD(KEYCTL_READ)};
#undef WORD

std::string one_of(std::span<const Word> words, std::uint64_t value) {
    const auto found = std::ranges::find(words, value, &Word::value);
    return found != words.end() ? std::string(found->name) : format("{:#x}", value);
}

std::string flags_of(std::span<const Word> words, std::uint64_t value) {
    std::string text;
    for (const Word& word : words) {
        if ((value & word.value) != word.value) continue;
        sandbox::os::append_part(text, "|", word.name);
        value &= ~word.value;
    }
    if (value != 0 || text.empty()) sandbox::os::append_part(text, "|", format("{:#x}", value));
    return text;
}

std::string path_text(std::uint64_t address, const TextAt& text_at) {
    constexpr std::size_t longest = 200;
    if (address == 0) return "NULL";
    std::optional<std::string> path = text_at(address);
    if (!path) return "…";
    const bool is_cut = path->size() > longest;
    if (is_cut) path->resize(longest);
    return format("\"{}{}\"", sandbox::os::printable(*path), is_cut ? "…" : "");
}

std::string argument_text(Shown shown, std::uint64_t value, const TextAt& text_at) {
    // What the kernel looks at of descriptors, requests, families and the like: 32 bits.
    const auto low = static_cast<std::uint32_t>(value);
    switch (shown) {
        case nothing: return {};
        case hidden: return "…";
        case path: return path_text(value, text_at);
        case number: return format("{}", static_cast<std::int32_t>(low));
        case hex: return format("{:#x}", value);
        case octal: return format("{:#o}", low);
        case directory:
            return static_cast<std::int32_t>(low) == AT_FDCWD ? "AT_FDCWD"
                                                              : format("{}", static_cast<std::int32_t>(low));
        case open_flags: return flags_of(open_words, low);
        case mount_flags: return flags_of(mount_words, low);
        case clone_flags: return flags_of(clone_words, low);
        case family: return one_of(family_words, low);
        case socket_type: return one_of(socket_types, low & 0xfU);
        case ioctl_request: return one_of(requests, low);
        case ptrace_request: return one_of(ptrace_requests, low);
        case prctl_option: return one_of(prctl_options, low);
        case keyctl_operation: return one_of(key_operations, low);
    }
    return {};
}

}  // namespace

std::string show_call(std::string_view name, const seccomp_data& call, const TextAt& text_at) {
    const Signature* const signature = find(name);
    if (signature == nullptr) return format("{}(…)", name);
    std::string text;
    for (std::size_t i = 0; i < signature->arguments.size() && signature->arguments[i] != nothing; ++i) {
        text += format("{}{}", i == 0 ? "" : ", ", argument_text(signature->arguments[i], call.args[i], text_at));
    }
    return format("{}({})", name, text);
}

std::uint64_t telling_argument(std::string_view name, const seccomp_data& call) {
    const Signature* const signature = find(name);
    if (signature == nullptr || signature->telling < 0) return 0;
    return static_cast<std::uint32_t>(call.args[signature->telling]);
}

std::string error_name(int error) {
    const char* const name = ::strerrorname_np(error);
    return name != nullptr ? name : format("errno {}", error);
}

}  // namespace runtime::jail
