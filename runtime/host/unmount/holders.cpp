#include "runtime/host/unmount/holders.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <sstream>

#include "runtime/host/state/small_files.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::HostFiles;
using sandbox::os::MountEntry;

std::string read_link(int folder, const std::string& path) {
    Buffer target{};
    const long size = ::readlinkat(folder, path.c_str(), target.data(), target.size());
    return size <= 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(size));
}

// The disk behind a block device: "/sys/dev/block/7:1" -> ".../block/loop1", a partition's ".../loop1/loop1p2".
std::string loop_of(const HostFiles& host, const struct statx& about) {
    const std::string place =
        read_link(host.sys(), format("dev/block/{}:{}", about.stx_rdev_major, about.stx_rdev_minor));
    const std::size_t at = place.find("/block/loop");
    if (at == std::string::npos) return {};
    const std::string name = place.substr(at + std::string_view("/block/").size());
    return name.substr(0, name.find('/'));
}

// One process after the other.
class Reader {
  public:
    Reader(const HostFiles& host, const std::vector<MountEntry>& mounts, const std::set<std::string>& loops)
        : host_(host), mounts_(mounts), loops_(loops), own_namespace_(read_link(host.proc(), "self/ns/mnt")) {
        for (const MountEntry& mount : mounts) ids_.insert(mount.id);
    }
    void look_into(const Process& process) {
        process_ = &process;
        number_ = format("{}", process.pid);
        seen_.clear();
        const int error = look_at("cwd", "cwd");
        if (error == EACCES || error == EPERM) ++found_.unseen;
        if (error != 0) return;  // or it has ended
        look_at("root", "root");
        look_at("exe", "exe");
        const Folder descriptors = open_folder(host_.proc(), number_ + "/fd");
        while (const dirent* entry = descriptors ? ::readdir(descriptors.get()) : nullptr) {
            if (!is_dot(*entry)) look_at(format("fd/{}", entry->d_name), format("fd {}", entry->d_name));
        }
        if (!mounts_.empty()) look_at_maps();
    }
    Holds take() { return std::move(found_); }

  private:
    // Through the link itself, whose end is the file and the mount that the process has, whatever is on that path now;
    // without asking a network's or FUSE's server, which may be dead.
    int look_at(const std::string& link, const std::string& way) {
        const std::string name = number_ + "/" + link;
        struct statx about = {};
        if (::statx(host_.proc(), name.c_str(), AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_MNT_ID,
                    &about) != 0) {
            return errno;
        }
        const int mount = ids_.contains(static_cast<int>(about.stx_mnt_id)) ? static_cast<int>(about.stx_mnt_id) : 0;
        std::string loop;
        if (S_ISBLK(about.stx_mode) && !loops_.empty()) loop = loop_of(host_, about);
        if (!loops_.contains(loop)) loop.clear();
        if (mount != 0 || !loop.empty()) add(way, read_link(host_.proc(), name), mount, loop);
        return 0;
    }

    // proc_pid_maps(5): "START-END PERMS OFFSET DEV INODE PATH". Only what holds a mount in no other way is told of.
    void look_at_maps() {
        std::istringstream maps(read_whole(host_.proc(), number_ + "/maps").value_or(""));
        std::set<std::string> paths;
        for (std::string line; std::getline(maps, line);) {
            const std::size_t at = line.find('/');
            if (at == std::string::npos) continue;
            const std::string path = line.substr(at);
            if (mount_by_path(path) == 0 || !paths.insert(path).second) continue;
            const int mount = mount_of_map(line, path);
            if (ids_.contains(mount) && !seen_.contains(mount)) add("map", path, mount, {});
        }
    }
    // The link of the mapping is for those with the right to checkpoint processes; for others the path must do, which
    // means something only in the same namespace.
    int mount_of_map(const std::string& line, const std::string& path) const {
        std::istringstream words(line);
        std::uint64_t start = 0;
        std::uint64_t end = 0;
        char dash = 0;
        words >> std::hex >> start >> dash >> end;
        const std::string link = format("{}/map_files/{:x}-{:x}", number_, start, end);
        struct statx about = {};
        if (::statx(host_.proc(), link.c_str(), AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID, &about) == 0) {
            return static_cast<int>(about.stx_mnt_id);
        }
        return read_link(host_.proc(), number_ + "/ns/mnt") == own_namespace_ ? mount_by_path(path) : 0;
    }
    // The later one of those on the same place covers the earlier.
    int mount_by_path(const std::string& path) const {
        const MountEntry* best = nullptr;
        for (const MountEntry& mount : mounts_) {
            if (!lies_under(path, mount.target)) continue;
            if (best == nullptr || mount.target.size() > best->target.size() ||
                (mount.target.size() == best->target.size() && mount.id > best->id)) {
                best = &mount;
            }
        }
        return best == nullptr ? 0 : best->id;
    }

    void add(const std::string& way, const std::string& path, int mount, const std::string& loop) {
        found_.holds.push_back(
            {process_->pid, process_->comm, way, path, mount, loop, read_link(host_.proc(), number_ + "/root")});
        seen_.insert(mount);
    }

    const HostFiles& host_;
    const std::vector<MountEntry>& mounts_;
    const std::set<std::string>& loops_;
    const std::string own_namespace_;
    std::set<int> ids_;
    const Process* process_ = nullptr;
    std::string number_;  // its directory in procfs
    std::set<int> seen_;  // mounts that this process holds
    Holds found_;
};

}  // namespace

Holds read_holds(const HostFiles& host, const std::vector<Process>& processes, const std::vector<MountEntry>& mounts,
                 const std::set<std::string>& loops) {
    if (mounts.empty() && loops.empty()) return {};
    Reader reader(host, mounts, loops);
    for (const Process& process : processes) reader.look_into(process);
    return reader.take();
}

std::vector<std::string> describe(const std::vector<Hold>& holds) {
    constexpr std::size_t most = 3;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < holds.size();) {
        const Hold& first = holds[at];
        std::string line = format("process {} ({}):", first.pid, plain(first.comm));
        std::size_t ways = 0;
        for (; at < holds.size() && holds[at].pid == first.pid; ++at, ++ways) {
            if (ways < most) line += format("{} {} {}", ways == 0 ? "" : ",", holds[at].way, plain(holds[at].path));
        }
        if (ways > most) line += format(", and {} more", ways - most);
        lines.push_back(line);
    }
    return lines;
}

}  // namespace runtime::host
