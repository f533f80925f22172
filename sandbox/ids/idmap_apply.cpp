// The writing half of ids/idmap.hpp: map files written directly, or through the set-user-ID programs of shadow.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox {
namespace {

struct Extent {
    std::uint32_t inner = 0;
    std::uint32_t outer = 0;
    std::uint32_t count = 0;
};

std::vector<Extent> extents(std::uint32_t base, std::uint32_t count, std::optional<std::uint32_t> own) {
    std::vector<Extent> list{{0, base, count}};
    // The kernel refuses a map in which an outer id occurs twice.
    if (own && (*own < base || *own - base >= count)) list.push_back({own_inner_id, *own, 1});
    return list;
}

std::string map_text(const std::vector<Extent>& list) {
    std::string text;
    for (const Extent& extent : list) text += os::format("{} {} {}\n", extent.inner, extent.outer, extent.count);
    return text;
}

// A map file takes one write(2), all of it, at offset 0 (user_namespaces(7)).
void write_once(pid_t pid, const char* name, const std::string& text) {
    const std::string path = os::format("/proc/{}/{}", pid, name);
    const os::Fd file(os::sys([&] { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC); }, "open {}", path));
    os::sys([&] { return ::write(file.get(), text.data(), text.size()); },
            "write \"{}\" to {} (in a container: are these ids in its own /proc/self/uid_map?)",
            text.substr(0, text.find('\n')), path);
}

// newuidmap or newgidmap, started on `target`. Its environment is the fixed one of every helper: nothing of
// the caller's LD_* or locale reaches a set-user-ID program.
os::Helper start_map_program(const std::string& name, pid_t target, const std::vector<Extent>& list) {
    const std::string path = find_map_program(name);
    if (path.empty()) {
        throw IdMapError(
            {os::format("{} is not in /usr/bin or /bin; it writes the id maps of users other than root", name),
             "sudo apt-get install uidmap"});
    }
    std::vector<std::string> words{path, os::format("{}", target)};
    for (const Extent& extent : list) {
        for (const std::uint32_t value : {extent.inner, extent.outer, extent.count}) {
            words.push_back(os::format("{}", value));
        }
    }
    return os::start_helper(path, words);
}

// Throws IdMapError with what the program said, and what is visibly wrong with it.
void finish_map_program(const std::string& name, os::Helper helper) {
    os::Captured captured = os::finish_helper(std::move(helper));
    if (captured.how.has_exited(0)) return;
    const std::string path = find_map_program(name);
    std::string text = captured.how.has_exited() ? os::format("{} failed", path)
                                                 : os::format("{} was killed by signal {}", path, captured.how.status);
    std::string& said = captured.standard_error;
    while (!said.empty() && said.back() == '\n') said.pop_back();
    if (!said.empty()) text += ": " + said;
    const os::Problem flaw = find_flaw(path).value_or(os::Problem{});
    if (!flaw.what.empty()) text += "; " + flaw.what;
    throw IdMapError({text, flaw.remedy});
}

// CAP_SETUID and CAP_SETGID, effective: what the kernel asks of who maps other ids than the own ones.
bool may_map_any_id() {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    os::sys([&] { return ::syscall(SYS_capget, &header, data); }, "ask for the own capabilities");
    constexpr std::uint32_t needed = 1U << CAP_SETUID | 1U << CAP_SETGID;
    return (data[0].effective & needed) == needed;
}

bool is_own(const IdMap& map) {
    return map.count == 1 && map.uid_base == ::geteuid() && map.gid_base == ::getegid();
}

}  // namespace

bool can_drop_groups(const IdMap& map, const os::HostFiles& host) {
    const bool is_privileged = may_map_any_id() || map.mode == IdMode::range;
    // A kernel that has no such file (before 3.19) denies nothing.
    return is_privileged && !os::read_file_if_exists(host.proc(), "self/setgroups").value_or("").starts_with("deny");
}

std::string find_map_program(std::string_view name) {
    for (const char* folder : {"/usr/bin", "/bin"}) {
        std::string path = os::format("{}/{}", folder, name);
        if (::access(path.c_str(), X_OK) == 0) return path;
    }
    return {};
}

std::optional<os::Problem> find_flaw(const std::string& map_program) {
    struct stat file = {};
    if (::stat(map_program.c_str(), &file) != 0) {
        return os::Problem{os::format("{} is not there", map_program), "sudo apt-get install uidmap"};
    }
    const bool set_user_id = (file.st_mode & S_ISUID) != 0 && file.st_uid == 0;
    const bool capable = ::getxattr(map_program.c_str(), "security.capability", nullptr, 0) > 0;
    if (!set_user_id && !capable) {
        return os::Problem{os::format("{} has neither the set-user-ID bit nor a file capability", map_program),
                           "sudo apt-get install --reinstall uidmap"};
    }
    if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
        return os::Problem{os::format("this process has no_new_privs set, so {} gains no privilege", map_program),
                           "start from a shell without no_new_privs (in a container: without --security-opt "
                           "no-new-privileges)"};
    }
    struct statvfs system = {};
    if (::statvfs(map_program.c_str(), &system) == 0 && (system.f_flag & ST_NOSUID) != 0) {
        return os::Problem{os::format("{} is on a file system mounted nosuid, so it gains no privilege", map_program),
                           {}};
    }
    return std::nullopt;
}

void apply_idmap(pid_t pid, const IdMap& map, const ExtraId* own) {
    const auto own_uid = own != nullptr ? std::optional(own->uid) : std::nullopt;
    const auto own_gid = own != nullptr ? std::optional(own->gid) : std::nullopt;
    const std::vector<Extent> uids = extents(map.uid_base, map.count, own_uid);
    const std::vector<Extent> gids = extents(map.gid_base, map.count, own_gid);
    const bool privileged = may_map_any_id();
    if (::geteuid() == 0 && !privileged && !is_own(map)) {
        throw IdMapError(
            {"root lacks CAP_SETUID or CAP_SETGID here, as in a container started without them, and cannot "
             "map a jail's ids",
             "docker run or podman run --cap-add SETUID --cap-add SETGID; in Kubernetes "
             "securityContext.capabilities.add: [SETUID, SETGID]"});
    }
    if (!privileged && map.mode == IdMode::range) {
        os::Helper uid_helper = start_map_program("newuidmap", pid, uids);
        os::Helper gid_helper = start_map_program("newgidmap", pid, gids);
        finish_map_program("newuidmap", std::move(uid_helper));
        finish_map_program("newgidmap", std::move(gid_helper));
        return;
    }
    // Without privilege the kernel takes a gid map only where groups can no longer be dropped: a group may be
    // what denies access (CVE-2014-8989).
    if (!privileged) write_once(pid, "setgroups", "deny");
    write_once(pid, "uid_map", map_text(uids));
    write_once(pid, "gid_map", map_text(gids));
}

}  // namespace sandbox
