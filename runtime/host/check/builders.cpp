#include "runtime/host/check/builders.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include "runtime/host/state/small_files.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/mountinfo.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::HostFiles;

// As the kernel shortens them: 15 characters.
constexpr std::string_view programs[] = {
    "debootstrap",   "mmdebstrap",  "cdebootstrap", "multistrap",     "mksquashfs", "lb",
    "live-build",    "mkosi",       "osbuild",      "buildah",        "buildkitd",  "kiwi-ng",
    "debos",         "pbuilder",    "sbuild",       "livecd-creator", "lorax",      "xorriso",
    "grub-mkrescue", "genisoimage", "pacstrap",     "archiso",        "mkarchiso",  "image-factory",
};

// lb runs its parts as programs of their own: lb_chroot_apt, lb_binary, ...
bool is_builder(std::string_view comm) {
    return comm.starts_with("lb_") ||
           std::ranges::any_of(programs, [&](std::string_view program) { return comm == program.substr(0, 15); });
}

std::string read_link(int folder, const std::string& path) {
    std::array<char, 4096> target{};
    const long size = ::readlinkat(folder, path.c_str(), target.data(), target.size());
    return size <= 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(size));
}

// What a process holds: its directory, its root, what it has open; as paths of the mount namespace that it is in.
std::set<std::string> held_by(int proc, const std::string& process) {
    std::set<std::string> paths{read_link(proc, process + "/cwd"), read_link(proc, process + "/root")};
    const Folder descriptors = open_folder(proc, process + "/fd");
    while (const dirent* entry = descriptors ? ::readdir(descriptors.get()) : nullptr) {
        if (!is_dot(*entry)) paths.insert(read_link(proc, process + "/fd/" + entry->d_name));
    }
    paths.erase("");
    return paths;
}

struct Touch {
    Severity severity = Severity::info;
    std::string what;
};

Touch touched_paths(const std::set<std::string>& held, const OurPaths& ours) {
    for (const std::string& path : held) {
        if (lies_under(path, ours.store)) return {Severity::harm, path + ", in the store"};
    }
    for (const std::string& path : held) {
        if (lies_under(path, ours.project)) return {Severity::warning, path + ", in the pipeline's directory"};
        if (lies_under(path, ours.output)) return {Severity::warning, path + ", in the output directory"};
    }
    return {};
}

// A place of ours, or what lies in it, is what the mount shows, is mounted on or is mounted from; its options may name
// layers.
bool is_mount_of(const sandbox::os::MountEntry& mount, const std::string& place) {
    if (place.empty()) return false;
    return lies_under(mount.root, place) || lies_under(mount.target, place) || lies_under(mount.source, place) ||
           mount.options.find(place + "/") != std::string::npos;
}

// In a mount namespace of its own its paths are others, but a mount of ours that it has says where it is from.
Touch touched_mounts(int proc, const std::string& process, const OurPaths& ours) {
    const auto text = read_whole(proc, process + "/mountinfo");
    if (!text) return {};  // it has ended meanwhile
    const auto mounts = sandbox::os::parse_mounts(*text).mounts;
    const auto has_mount_of = [&](const std::string& place) {
        return std::ranges::any_of(mounts, [&](const auto& mount) { return is_mount_of(mount, place); });
    };
    if (has_mount_of(ours.store)) return {Severity::harm, "a mount of the store"};
    if (has_mount_of(ours.project)) return {Severity::warning, "a mount of the pipeline's directory"};
    if (has_mount_of(ours.output)) return {Severity::warning, "a mount of the output directory"};
    return {};
}

Finding judge(const HostFiles& host, const Process& process, const OurPaths& ours) {
    const std::string number = format("{}", process.pid);
    const std::string name = format("{} (process {}, uid {})", plain(process.comm), process.pid, process.uid);
    const std::string own = read_link(host.proc(), "self/ns/mnt");
    const std::string theirs = read_link(host.proc(), number + "/ns/mnt");
    if (theirs.empty())
        return {Severity::info, "builder", format("{} builds; what it touches is not ours to see", name)};
    const Touch touch =
        own == theirs ? touched_paths(held_by(host.proc(), number), ours) : touched_mounts(host.proc(), number, ours);
    if (touch.severity == Severity::info) {
        return {Severity::info, "builder", format("{} builds, and touches nothing of this build", name)};
    }
    return {touch.severity, "builder", format("{} builds, and holds {}", name, plain(touch.what)),
            format("wait for it to end: tail --pid={} -f /dev/null", process.pid)};
}

// Inside the jail of another build of ours: that one is told of, and what it holds is its own.
bool is_in_our_jail(const std::vector<Process>& processes, const Process& process) {
    const Process* at = &process;
    for (std::size_t steps = 0; at != nullptr && steps <= processes.size(); ++steps) {
        if (at->comm == "stagebox") return true;
        at = find_process(processes, at->parent);
    }
    return false;
}

}  // namespace

Findings find_builders(const HostFiles& host, const std::vector<Process>& processes, const OurPaths& ours) {
    Findings findings;
    for (const Process& process : processes) {
        if (is_builder(process.comm) && !is_in_our_jail(processes, process))
            findings.push_back(judge(host, process, ours));
    }
    return findings;
}

Findings find_own_builds(const HostFiles& host, const std::vector<Process>& processes, const std::string& store) {
    Findings findings;
    struct stat lock = {};
    const auto locks = sandbox::os::read_file_if_exists(host.proc(), "locks");
    if (!locks || ::stat((store + "/lock").c_str(), &lock) != 0) return findings;
    // "1: FLOCK  ADVISORY  READ  1234 fe:00:5678 0 EOF"; to try the lock ourselves would be in the others' way.
    std::istringstream lines(*locks);
    std::set<pid_t> holders;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string number;
        std::string type;
        std::string advisory;
        std::string access;
        pid_t pid = 0;
        std::string place;
        words >> number >> type >> advisory >> access >> pid >> place;
        if (type == "FLOCK" && pid != ::getpid() && place.ends_with(format(":{}", lock.st_ino))) holders.insert(pid);
    }
    const Folder folder = open_folder(AT_FDCWD, store + "/locks");
    std::map<pid_t, std::string> stages;  // "process 12 (stage a of stagebox.toml)"
    Buffer buffer{};
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
        const auto text = read_small(::dirfd(folder.get()), entry->d_name, buffer);
        constexpr std::string_view start = "process ";
        if (is_dot(*entry) || !text || !text->starts_with(start)) continue;
        pid_t pid = 0;
        std::from_chars(text->data() + start.size(), text->data() + text->size(), pid);
        sandbox::os::append_part(stages[pid], ", ", plain(text->substr(std::min(text->find('('), text->size()))));
    }
    for (const pid_t pid : holders) {
        const Process* process = find_process(processes, pid);
        if (process == nullptr) continue;
        findings.push_back({Severity::info, "builder",
                            format("process {} ({}) uses the same store{}; a stage that both build is built once", pid,
                                   plain(process->comm), stages[pid].empty() ? "" : ", for " + stages[pid])});
    }
    return findings;
}

}  // namespace runtime::host
