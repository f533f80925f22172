// The probes that run inside a jail's namespaces.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <memory>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/plan/diagnosis.hpp"
#include "sandbox/probe/attempt.hpp"

namespace sandbox {
namespace {

using os::Fd;
using os::format;
using os::sys;

std::string remedy_for(const Attempt& attempt) {
    return explain_refusal(Refused::rights, attempt.error, read_host_facts());
}

// The limit holds for all of them together (namespaces(7)).
std::string user_namespace_detail() {
    const std::string limit = read_host_facts().max_user_namespaces;
    return limit.empty() ? "can be made" : format("can be made; the machine allows {}", limit);
}

Finding finding(std::string name, const Attempt& attempt, std::string detail, const std::string& remedy) {
    if (attempt.works()) return {std::move(name), Status::ok, std::move(detail), {}};
    const os::Problem& problem = attempt.problem;
    return {std::move(name), Status::missing, problem.what, problem.remedy.empty() ? remedy : problem.remedy};
}

// A new file system, made and configured but not attached anywhere (fsopen(2)). `options` are names and
// values; a null value is a flag.
using Options = std::vector<std::pair<const char*, const char*>>;
Fd make_mount(const char* type, const Options& options) {
    const Fd context(sys([&] { return ::fsopen(type, FSOPEN_CLOEXEC); }, "make a {} (fsopen)", type));
    for (const auto& option : options) {
        const char* key = option.first;
        const char* value = option.second;
        const unsigned command = value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
        sys([&] { return ::fsconfig(context.get(), command, key, value, 0); }, "set the option {} of {} (fsconfig)",
            key, type);
    }
    sys([&] { return ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0); }, "make a {} (fsconfig)",
        type);
    return Fd(sys([&] { return ::fsmount(context.get(), FSMOUNT_CLOEXEC, 0); }, "mount a {} (fsmount)", type));
}

void use_mount_api() {
    struct mount_attr separate = {};
    separate.propagation = MS_PRIVATE;
    sys([&] { return ::mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &separate, sizeof separate); },
        "part the mounts from the host's (mount_setattr)");
    struct mount_attr closed = {};
    closed.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    const Fd tree(sys([] { return ::open_tree(AT_FDCWD, "/usr", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE); },
                      "copy the mounts of /usr (open_tree)"));
    sys([&] { return ::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &closed, sizeof closed); },
        "make a tree read-only (mount_setattr)");
    const Fd fresh = make_mount("tmpfs", {{"mode", "0755"}});
    sys([&] { return ::move_mount(fresh.get(), "", AT_FDCWD, "/usr", MOVE_MOUNT_F_EMPTY_PATH); },
        "attach a tmpfs (move_mount)");
}

void use_loopback() {
    const Fd socket(sys([] { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }, "make a socket"));
    struct ifreq request = {};
    std::strncpy(static_cast<char*>(request.ifr_name), "lo", sizeof request.ifr_name - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    sys([&] { return ::ioctl(socket.get(), SIOCSIFFLAGS, &request); }, "bring the loopback interface up");
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sys([&] { return ::bind(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address); },
        "bind to 127.0.0.1");
}

// All that use_overlay makes below its folder, in the order in which it can be taken away: files and folders.
constexpr std::array overlay_leavings{"upper/gone",
                                      "upper/file",
                                      "upper",
                                      "lower/gone",
                                      "lower",
                                      "work/work/incompat/volatile/dirty",
                                      "work/work/incompat/volatile",
                                      "work/work/incompat",
                                      "work/work",
                                      "work/index",
                                      "work"};

// What a stage's layer needs: an upper, written to, and a folder of the lower removed and made again, which
// overlayfs notes in an extended attribute of the user's.
void use_overlay(const std::string& folder) {
    sys([&] { return ::chdir(folder.c_str()); }, "enter {}", folder);
    for (const char* name : {"lower", "lower/gone", "upper", "work"}) {
        sys([&] { return ::mkdir(name, 0755); }, "make {}/{}", folder, name);
    }
    const Fd merged = make_mount("overlay", {{"lowerdir", "lower"},
                                             {"upperdir", "upper"},
                                             {"workdir", "work"},
                                             {"index", "off"},
                                             {"metacopy", "off"},
                                             {"userxattr", nullptr},
                                             {"volatile", nullptr}});
    const Fd file(sys([&] { return ::openat(merged.get(), "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644); },
                      "write through the overlay"));
    sys([&] { return ::unlinkat(merged.get(), "gone", AT_REMOVEDIR); }, "remove a folder in the overlay");
    sys([&] { return ::mkdirat(merged.get(), "gone", 0755); }, "make a removed folder again in the overlay");
    char opaque = 0;
    sys([&] { return ::getxattr("upper/gone", "user.overlay.opaque", &opaque, 1); },
        "find the mark of a replaced folder (user.* attributes)");
}

void remove_entry(int folder, const char* name) {
    if (::unlinkat(folder, name, 0) != 0) static_cast<void>(::unlinkat(folder, name, AT_REMOVEDIR));
}

void clear_overlay(const std::string& folder) {
    const Fd at(sys([&] { return ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }, "open {}", folder));
    // overlayfs keeps a whiteout for later use there, under a number as name.
    const long work = os::try_sys([&] { return ::openat(at.get(), "work/work", O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (work >= 0) {
        const std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(static_cast<int>(work)), ::closedir);
        while (const dirent* entry = ::readdir(list.get())) {
            if (entry->d_name[0] == '#') remove_entry(static_cast<int>(work), entry->d_name);
        }
    }
    for (const char* name : overlay_leavings) remove_entry(at.get(), name);
}

// The nearest folder that exists, at or above `path`.
std::string nearest_folder(std::string path) {
    struct stat status = {};
    while (!path.empty() && path != "/") {
        if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return path;
        path.erase(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
    }
    return "/";
}

Finding probe_overlay(const IdMap& ids, const ExtraId& own, const std::string& store_path) {
    const std::string near = nearest_folder(store_path);
    std::string folder = (near == "/" ? "" : near) + "/.stagebox-probe-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) {
        return {"overlayfs", Status::missing, os::format("make a folder in {}: {}", near, std::strerror(errno)),
                "choose a store you can write to: --store DIR"};
    }
    // The clean-up runs in namespaces of its own, after those of the probe and its overlay have ended.
    const Surroundings where{ids, own, CLONE_NEWNS};
    const Attempt tried = attempt(where, [&] { use_overlay(folder); });
    const Attempt cleared = attempt(where, [&] { clear_overlay(folder); });
    if (::rmdir(folder.c_str()) != 0 && tried.works()) {
        return {"overlayfs",
                Status::limited,
                os::format("works, but {} could not be removed: {}", folder, cleared.problem.what),
                {}};
    }
    return finding("overlayfs", tried, os::format("userxattr and volatile work on the file system of {}", near),
                   "put the store on ext4, xfs, btrfs or tmpfs (not on NFS or another overlay): --store DIR");
}

Finding probe_range(std::optional<IdMap>& ids, const ExtraId& own) {
    try {
        const IdMapChoice choice = resolve_idmap(IdMode::range);
        const Attempt tried = attempt({choice.map, own, 0}, [] {});
        Finding found = finding("id range", tried, choice.why, remedy_for(tried));
        if (tried.works()) {
            ids = choice.map;
        } else {
            found.status = Status::limited;
            found.problem.what += "; only pipelines and commands with a single id can run";
        }
        return found;
    } catch (const IdMapError& error) {
        return {"id range", Status::limited,
                error.problem().what + "; only pipelines and commands with a single id can run",
                error.problem().remedy};
    }
}

Finding probe_fresh_proc(const IdMap& ids) {
    const Attempt tried = attempt({ids, {}, CLONE_NEWNS | CLONE_NEWPID}, [] { make_mount("proc", {}); });
    // The kernel gives a new proc only to one who already sees a whole one (mount_too_revealing in
    // fs/namespace.c).
    return finding("fresh /proc", tried, "a PID namespace gets a proc of its own",
                   explain_refusal(Refused::fresh_proc, tried.error, read_host_facts()));
}

}  // namespace

std::string find_refused_call(const IdMap& ids) {
    const Attempt tried = attempt({ids, {}, CLONE_NEWNS}, use_mount_api);
    return tried.works() ? "" : format("tried on its own: {}", tried.problem.what);
}

std::vector<Finding> probe_jail(const std::string& store_path) {
    std::vector<Finding> findings;
    const Caller caller = current_caller();
    const ExtraId own{caller.uid, caller.gid};

    const Attempt user = attempt({}, [] { sys([] { return ::unshare(CLONE_NEWUSER); }, "make a user namespace"); });
    findings.push_back(finding("user namespace", user, user_namespace_detail(),
                               explain_refusal(Refused::user_namespace, user.error, read_host_facts())));
    if (!user.works()) return findings;  // all that follows happens in one

    const IdMap alone = resolve_idmap(IdMode::single).map;
    const Attempt single = attempt({alone, {}, 0}, [] {});
    findings.push_back(finding("single id", single, "the map is accepted", remedy_for(single)));
    std::optional<IdMap> range;
    findings.push_back(probe_range(range, own));
    const IdMap ids = range.value_or(alone);

    const Attempt mounts = attempt({ids, {}, CLONE_NEWNS}, use_mount_api);
    findings.push_back(
        finding("mount namespace", mounts, "with fsopen, open_tree, mount_setattr and move_mount", remedy_for(mounts)));
    findings.push_back(probe_fresh_proc(ids));
    findings.push_back(probe_overlay(ids, own, store_path));
    const Attempt network = attempt({ids, {}, CLONE_NEWNET}, use_loopback);
    findings.push_back(finding("network namespace", network, "its loopback comes up", remedy_for(network)));
    const Attempt rest = attempt({ids, {}, CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP},
                                 [] { sys([] { return ::sethostname("probe", 5); }, "set the host name"); });
    findings.push_back(finding("ipc, uts, cgroup namespaces", rest, "can be made", remedy_for(rest)));
    return findings;
}

}  // namespace sandbox
