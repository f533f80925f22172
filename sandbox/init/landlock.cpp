// Landlock (landlock(7)), under the rules of init/child.cpp. The structures and bits are the kernel's, of ABI 7; Debian
// 12's headers end at ABI 2.
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sandbox/init/landlock.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {
namespace {

struct Ruleset {
    uint64_t handled_files;
    uint64_t handled_network;
    uint64_t scoped;
};

struct __attribute__((packed)) BeneathPath {
    uint64_t allowed;
    int32_t parent;
};

constexpr unsigned create_version = 1;  // LANDLOCK_CREATE_RULESET_VERSION
constexpr int rule_path_beneath = 1;    // LANDLOCK_RULE_PATH_BENEATH

// LANDLOCK_ACCESS_FS_*, of files: 13 in all with ABI 1, then REFER (2), TRUNCATE (3) and IOCTL_DEV (5).
constexpr uint64_t write_file = 1U << 1U;
constexpr uint64_t read_file = 1U << 2U;
constexpr uint64_t truncate = 1U << 14U;
constexpr uint64_t control_device = 1U << 15U;

constexpr uint64_t accesses_of(long abi) noexcept {
    if (abi >= 5) return (1U << 16U) - 1;
    return abi >= 3 ? (1U << 15U) - 1 : (1U << 14U) - 1;
}

// LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and LANDLOCK_SCOPE_SIGNAL.
constexpr uint64_t scopes_of(long abi) noexcept {
    return abi >= 6 ? 3 : 0;
}

long allow(long ruleset, long parent, uint64_t accesses) noexcept {
    const BeneathPath rule = {accesses, static_cast<int32_t>(parent)};
    return call(SYS_landlock_add_rule, ruleset, rule_path_beneath, &rule, 0);
}

long allow_root(long ruleset, uint64_t accesses) noexcept {
    const long root = call(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return root;
    const long done = allow(ruleset, root, accesses);
    call(SYS_close, root);
    return done;
}

// A stream that is a file of the host can be opened again as /dev/stdout. EBADFD: a pipe or socket, which Landlock
// leaves alone.
long allow_streams(long ruleset, const int (&streams)[3], uint64_t accesses) noexcept {
    constexpr uint64_t of_file = write_file | read_file | truncate | control_device;
    for (const int stream : streams) {
        struct stat status = {};
        const long known = call(SYS_newfstatat, stream, "", &status, AT_EMPTY_PATH);
        if (known < 0) return known;
        if (S_ISDIR(status.st_mode)) continue;
        const long done = allow(ruleset, stream, accesses & of_file);
        if (done < 0 && done != -EBADFD) return done;
    }
    return 0;
}

}  // namespace

long make_fence(Fence kind, const int (&streams)[3]) noexcept {
    const long abi = call(SYS_landlock_create_ruleset, nullptr, 0, create_version);
    // Not there, switched off, or refused by a filter around us; anything else is a fault, and no reason to do without.
    if (abi < 0 && abi != -ENOSYS && abi != -EOPNOTSUPP && abi != -EPERM) return abi;
    // Before ABI 2 no domain may move or link a file from one directory to another, which builds do all the time.
    // Before ABI 6 there is none without a file system.
    if (abi < (kind == Fence::on ? 2 : 6)) return fence_missing;
    const Ruleset attributes = {kind == Fence::on ? accesses_of(abi) : 0, 0, scopes_of(abi)};
    // An older kernel takes a shorter structure, or a longer one whose tail is zero.
    const long ruleset = call(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (ruleset < 0 || kind != Fence::on) return ruleset;
    long done = allow_root(ruleset, attributes.handled_files);
    if (done >= 0) done = allow_streams(ruleset, streams, attributes.handled_files);
    return done < 0 ? done : ruleset;
}

}  // namespace sandbox
