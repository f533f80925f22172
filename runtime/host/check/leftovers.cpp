#include "runtime/host/check/leftovers.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "runtime/host/state/small_files.hpp"
#include "runtime/host/unmount/holders.hpp"
#include "runtime/host/unmount/unmount.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::HostFiles;
using sandbox::os::MountEntry;
using sandbox::os::MountTable;

// The directory that a mount makes a chroot of: it shows there what a system has at its own root. "/srv/a/dev/pts" ->
// "/srv/a"; empty for the host's own, and for other mounts.
std::string chroot_of(const MountEntry& mount) {
    constexpr std::pair<std::string_view, std::string_view> places[] = {
        {"/proc", "proc"},      {"/sys", "sysfs"},         {"/dev", "devtmpfs"},
        {"/dev/pts", "devpts"}, {"/dev/mqueue", "mqueue"}, {"/sys/fs/cgroup", "cgroup2"}};
    for (const auto& [place, fstype] : places) {
        if (mount.fstype != fstype || !mount.target.ends_with(place)) continue;
        return mount.target.substr(0, mount.target.size() - place.size());
    }
    return {};
}

bool is_system_tree(const HostFiles& host, const std::string& directory) {
    const auto has = [&](const char* name) {
        return ::faccessat(host.root(), sandbox::os::below_root(directory + name).c_str(), F_OK, 0) == 0;
    };
    return has("/etc") && has("/usr");
}

// Who has its root or its working directory there, or holds one of its mounts; as far as it is ours to see.
std::vector<std::string> users_of(const HostFiles& host, const std::string& directory, const MountTable& mounts,
                                  const std::vector<Process>& processes) {
    std::set<pid_t> holders;
    for (const Hold& hold : read_holds(host, processes, mounts_in(mounts, directory)).holds) holders.insert(hold.pid);
    std::vector<std::string> users;
    Buffer target{};
    for (const Process& process : processes) {
        bool is_user = holders.contains(process.pid);
        for (const char* link : {"root", "cwd"}) {
            const long size =
                ::readlinkat(host.proc(), format("{}/{}", process.pid, link).c_str(), target.data(), target.size());
            is_user = is_user || (size > 0 && lies_under({target.data(), static_cast<std::size_t>(size)}, directory));
        }
        if (is_user) users.push_back(format("{} ({})", process.pid, plain(process.comm)));
    }
    return users;
}

Finding describe_chroot(const HostFiles& host, const std::string& directory, const std::set<std::string>& targets,
                        const MountTable& mounts, const std::vector<Process>& processes) {
    const auto all = std::count_if(mounts.mounts.begin(), mounts.mounts.end(),
                                   [&](const MountEntry& mount) { return lies_under(mount.target, directory); });
    std::string names;
    for (const std::string& target : targets)
        sandbox::os::append_part(names, ", ", plain(target.substr(directory.size())));
    const std::string what = format("{} has {} mounts of a chroot ({})", plain(directory), all, names);
    const std::vector<std::string> users = users_of(host, directory, mounts, processes);
    if (!users.empty()) {
        return {Severity::info, "leftover",
                format("{}; in use by process {}{}", what, users.front(),
                       users.size() == 1 ? "" : format(" and {} more", users.size() - 1))};
    }
    return {Severity::warning, "leftover", format("{}; no process is in it", what), unmount_command(directory)};
}

Finding describe_loop(const LoopDevice& loop, const MountTable& mounts) {
    const std::string device = "/dev/" + loop.name;
    const std::string what = format("{} holds the deleted file {}", device, plain(loop.backing));
    for (const MountEntry& mount : mounts.mounts) {
        if (mount.source != device) continue;
        return {Severity::warning, "leftover", format("{}, mounted on {}", what, plain(mount.target)),
                unmount_command(mount.target)};
    }
    return {Severity::warning, "leftover", what, format("sudo losetup --detach {}", device)};
}

}  // namespace

Findings find_leftovers(const HostFiles& host, const MountTable& mounts, const std::vector<LoopDevice>& loops,
                        const std::vector<Process>& processes) {
    std::map<std::string, std::set<std::string>> chroots;
    for (const MountEntry& mount : mounts.mounts) {
        if (std::string directory = chroot_of(mount); !directory.empty()) chroots[directory].insert(mount.target);
    }
    Findings findings;
    for (const auto& [directory, targets] : chroots) {
        // One such mount is somebody's choice; a system's tree around it, or a second one, makes it a chroot.
        if (targets.size() < 2 && !is_system_tree(host, directory)) continue;
        findings.push_back(describe_chroot(host, directory, targets, mounts, processes));
    }
    for (const LoopDevice& loop : loops) {
        if (loop.deleted) findings.push_back(describe_loop(loop, mounts));
    }
    return findings;
}

}  // namespace runtime::host
