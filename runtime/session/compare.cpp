#include "runtime/session/compare.hpp"

#include <algorithm>
#include <string_view>

#include "sandbox/os/format.hpp"

namespace runtime::session {
namespace {

using sandbox::os::format;
using sandbox::os::MountChange;
using sandbox::os::MountChangeKind;
using sandbox::os::MountEntry;

// Names come from whoever mounts or runs something, a payload too: they must not steer the terminal that
// shows the receipt, nor break its JSON, which is UTF-8. What is not plain ASCII is shown as \xNN.
std::string printable(std::string_view name) {
    std::string text;
    for (const char c : name) {
        if (c >= ' ' && c <= '~') {
            text += c;
        } else {
            text += format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return text;
}

bool lies_under(std::string_view path, std::string_view folder) {
    if (folder.empty() || !path.starts_with(folder)) return false;
    return path.size() == folder.size() || folder.ends_with('/') || path[folder.size()] == '/';
}

// Where the store lies inside its file system: what the root of a bind mount of it is compared with.
struct StorePlace {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::string root;
};

StorePlace find_store(const std::vector<MountEntry>& mounts, const std::string& store) {
    const MountEntry* best = nullptr;
    for (const MountEntry& mount : mounts) {
        // Of mounts on one another, the later line is the one that is seen.
        if (lies_under(store, mount.target) && (best == nullptr || mount.target.size() >= best->target.size())) {
            best = &mount;
        }
    }
    if (best == nullptr || store.empty()) return {};
    const std::string_view below = std::string_view(store).substr(best->target == "/" ? 0 : best->target.size());
    return {best->major, best->minor, (best->root == "/" ? std::string() : best->root) + std::string(below)};
}

// Empty: not ours.
std::string why_mount_is_ours(const MountChange& change, const Ours& ours, const StorePlace& place) {
    const MountEntry& mount = change.mount;
    if (lies_under(mount.target, ours.store) || lies_under(change.moved_from, ours.store)) {
        return "its target lies under the store";
    }
    if (lies_under(mount.source, ours.store)) return "its source lies under the store";
    if (!place.root.empty() && mount.major == place.major && mount.minor == place.minor &&
        lies_under(mount.root, place.root)) {
        return "it shows a part of the store";
    }
    if (!ours.store.empty() && mount.options.find(ours.store + "/") != std::string::npos) {
        return "its options name the store";
    }
    return {};
}

std::string_view word_for(MountChangeKind kind) {
    switch (kind) {
        case MountChangeKind::mounted: return "mounted";
        case MountChangeKind::unmounted: return "unmounted";
        case MountChangeKind::moved: return "moved";
        case MountChangeKind::remounted: return "remounted";
    }
    return "changed";
}

void compare_mounts(const HostState& before, const HostState& after, const Ours& ours,
                    std::vector<Difference>& differences) {
    const StorePlace place = find_store(before.mounts.mounts, ours.store);
    for (const MountChange& change : sandbox::os::diff(before.mounts, after.mounts)) {
        const std::string why = why_mount_is_ours(change, ours, place);
        differences.push_back({Kind::mount,
                               format("{} {} ({} from {})", word_for(change.kind), printable(change.mount.target),
                                      printable(change.mount.fstype), printable(change.mount.source)),
                               why.empty() ? Owner::other : Owner::ours,
                               why.empty() ? "nothing of it lies under the store" : why});
    }
}

void compare_loops(const HostState& before, const HostState& after, const Ours& ours,
                   std::vector<Difference>& differences) {
    const auto add_missing = [&](const auto& from, const auto& in, std::string_view word) {
        for (const LoopDevice& loop : from) {
            if (std::find(in.begin(), in.end(), loop) != in.end()) continue;
            const bool is_ours = lies_under(loop.backing, ours.store);
            differences.push_back(
                {Kind::loop,
                 format("{} /dev/{} ({}{})", word, loop.name, printable(loop.backing), loop.deleted ? ", deleted" : ""),
                 is_ours ? Owner::ours : Owner::other,
                 is_ours ? "its file lies under the store" : "its file is not under the store"});
        }
    };
    add_missing(after.loops, before.loops, "attached");
    add_missing(before.loops, after.loops, "detached");
}

// Judges the processes of the second moment.
class Judge {
  public:
    Judge(const std::vector<Process>& processes, const Ours& ours) : processes_(processes), ours_(ours) {
        for (const Process* up = parent_of(ours.supervisor); up != nullptr && ancestors_.size() < processes.size();
             up = parent_of(up->pid)) {
            ancestors_.push_back(up->pid);
        }
        const Process* supervisor = find_process(processes, ours.supervisor);
        // A range that is the caller's own id says nothing: all of the caller's programs have it.
        range_tells_ = supervisor == nullptr || !in_range(supervisor->uid);
    }

    // Empty: not ours.
    [[nodiscard]] std::string why_ours(const Process& process) const {
        if (process.pid == ours_.supervisor || process.state == 'Z' || process.state == 'X') return {};
        bool escaped = range_tells_ && in_range(process.uid);
        const Process* at = &process;
        // A parent chain is as long as the table at most; the table is not one instant, so it may hold a
        // circle.
        for (std::size_t steps = 0; at != nullptr && steps <= processes_.size(); ++steps) {
            if (is_wanted(at->pid)) return {};
            if (at->parent == ours_.supervisor) return "it descends from the run's supervisor";
            at = find_process(processes_, at->parent);
            if (!escaped || (at != nullptr && in_range(at->uid))) continue;
            if (at == nullptr || is_ancestor(at->pid)) {
                return format("its uid {} is of the run's range and it has no parent outside it", process.uid);
            }
            escaped = false;
        }
        return {};
    }

  private:
    [[nodiscard]] const Process* parent_of(pid_t pid) const {
        const Process* process = find_process(processes_, pid);
        return process == nullptr ? nullptr : find_process(processes_, process->parent);
    }
    [[nodiscard]] bool in_range(std::uint32_t uid) const {
        return uid >= ours_.ids.uid_base && uid - ours_.ids.uid_base < ours_.ids.count;
    }
    [[nodiscard]] bool is_wanted(pid_t pid) const {
        return std::find(ours_.wanted.begin(), ours_.wanted.end(), pid) != ours_.wanted.end();
    }
    [[nodiscard]] bool is_ancestor(pid_t pid) const {
        return std::find(ancestors_.begin(), ancestors_.end(), pid) != ancestors_.end();
    }

    const std::vector<Process>& processes_;
    const Ours& ours_;
    std::vector<pid_t> ancestors_;  // of the supervisor
    bool range_tells_ = false;
};

bool was_there(const std::vector<Process>& processes, const Process& process) {
    const Process* found = find_process(processes, process.pid);
    return found != nullptr && found->start == process.start;
}

void compare_processes(const HostState& before, const HostState& after, const Ours& ours, Scope scope,
                       std::vector<Difference>& differences) {
    const Judge judge(after.processes, ours);
    const auto describe = [](std::string_view word, const Process& process) {
        return format("{} process {} ({}, uid {}, parent {})", word, process.pid, printable(process.comm), process.uid,
                      process.parent);
    };
    for (const Process& process : after.processes) {
        if (was_there(before.processes, process)) continue;
        const std::string why = judge.why_ours(process);
        if (!why.empty()) {
            differences.push_back({Kind::process, describe("left", process), Owner::ours, why});
        } else if (scope == Scope::everything) {
            differences.push_back({Kind::process, describe("started", process), Owner::other,
                                   "it neither descends from the supervisor nor got away from it"});
        }
    }
    if (scope != Scope::everything) return;
    for (const Process& process : before.processes) {
        if (was_there(after.processes, process)) continue;
        differences.push_back({Kind::process, describe("ended", process), Owner::other, "it was there before the run"});
    }
}

}  // namespace

std::vector<Difference> compare(const HostState& before, const HostState& after, const Ours& ours, Scope scope) {
    std::vector<Difference> differences;
    compare_mounts(before, after, ours, differences);
    compare_loops(before, after, ours, differences);
    compare_processes(before, after, ours, scope, differences);
    return differences;
}

}  // namespace runtime::session
