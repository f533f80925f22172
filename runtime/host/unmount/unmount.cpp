#include "runtime/host/unmount/unmount.hpp"

#include <fcntl.h>
#include <mntent.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>

#include "runtime/host/unmount/peers.hpp"
#include "runtime/host/unmount/session_processes.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::HostFiles;
using sandbox::os::MountEntry;
using sandbox::os::MountTable;

using Stream = std::unique_ptr<FILE, int (*)(FILE*)>;

// Null where there is none, or it cannot be read. It may be a link.
Stream open_stream(int folder, const char* name) {
    const int opened = ::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return {opened < 0 ? nullptr : ::fdopen(opened, "r"), std::fclose};
}

std::vector<std::string> homes_of(const HostFiles& host, const std::set<uid_t>& users) {
    std::set<std::string> homes;
    if (const char* home = std::getenv("HOME"); home != nullptr) homes.insert(home);
    const Stream file = open_stream(host.etc(), "passwd");
    while (const passwd* entry = file ? ::fgetpwent(file.get()) : nullptr) {
        if (users.contains(entry->pw_uid)) homes.insert(entry->pw_dir);
    }
    std::vector<std::string> real;
    for (const std::string& home : homes) {
        if (home.starts_with('/') && sandbox::os::exists(AT_FDCWD, home)) real.push_back(sandbox::os::real_path(home));
    }
    return real;
}

std::vector<std::string> read_fstab(const HostFiles& host) {
    std::vector<std::string> places;
    const Stream file = open_stream(host.etc(), "fstab");
    while (const mntent* entry = file ? ::getmntent(file.get()) : nullptr) places.emplace_back(entry->mnt_dir);
    return places;
}

// Whose children they are, the latest first: of two with the same parent, only the later can hide the other.
class Tree {
  public:
    Tree(const MountTable& table, const std::string& directory) {
        for (const MountEntry& mount : table.mounts) {
            if (lies_under(mount.target, directory)) inside_.push_back(&mount);
        }
        std::ranges::reverse(inside_);
        for (const MountEntry* mount : inside_) children_[mount->parent].push_back(mount);
    }
    std::vector<MountEntry> from_top() {
        std::set<int> ids;
        for (const MountEntry* mount : inside_) ids.insert(mount->id);
        for (const MountEntry* mount : inside_) {
            if (mount->parent == mount->id || !ids.contains(mount->parent)) add(*mount);
        }
        return std::move(order_);
    }

  private:
    void add(const MountEntry& mount) {
        for (const MountEntry* child : children_[mount.id]) {
            if (child != &mount) add(*child);
        }
        order_.push_back(mount);
    }
    std::vector<const MountEntry*> inside_;
    std::map<int, std::vector<const MountEntry*>> children_;
    std::vector<MountEntry> order_;
};

// "/dev/loop0", or a partition of it, "/dev/loop0p1".
bool is_on_loop(const MountEntry& mount, const std::string& loop) {
    const std::string device = "/dev/" + loop;
    return mount.source == device || mount.source.starts_with(device + "p");
}

bool is_below(std::string_view path, std::string_view folder) {
    return path != folder && lies_under(path, folder);
}

// Nobody builds below these: what is mounted there is the host's.
std::string_view kernel_place(const std::string& target, const std::string& directory) {
    for (const std::string_view place : {"/dev", "/proc", "/sys"}) {
        if (lies_under(target, place) && !is_below(directory, "/dev/shm")) return place;
    }
    return {};
}

// Somebody may build below these, and then names a directory there: whoever names the place itself, or what is above
// it, means it with all that the session has there.
std::string wide_place(const std::string& target, const std::string& directory, const Caller& caller) {
    std::vector<std::string> places{"/run", "/run/user"};
    if (is_below(target, "/run/user")) places.push_back(target.substr(0, target.find('/', 10)));  // "/run/user/1000"
    places.insert(places.end(), caller.homes.begin(), caller.homes.end());
    for (const std::string& place : places) {
        if (lies_under(target, place) && lies_under(place, directory)) return place;
    }
    return {};
}

// Why the session needs it, whoever holds it; empty: it does not.
std::string why_needed(const MountEntry& mount, const std::string& directory, const Caller& caller) {
    if (mount.target == "/") return "it is the root";
    if (mount.target == directory) return {};
    if (directory == "/") return "the tree is the whole host's";
    if (const std::string_view place = kernel_place(mount.target, directory); !place.empty())
        return format("it belongs to the host's {}", place);
    for (const std::string& home : caller.homes) {
        if (lies_under(home, mount.target)) return format("the home {} is on it", plain(home));
    }
    if (const std::string place = wide_place(mount.target, directory, caller); !place.empty())
        return format("{} is the session's", plain(place));
    if (std::ranges::find(caller.boot_mounts, mount.target) != caller.boot_mounts.end())
        return "/etc/fstab mounts it when the host starts";
    return {};
}

void refuse(Step& step, std::string why) {
    step.state = StepState::refused;
    step.problem.what = std::move(why);
}

// Where a bind of the host's is in the tree, and the host's own outside of it.
std::vector<Step> steps_that_unshare(const Peers& peers, const std::vector<MountEntry>& tree,
                                     const std::string& directory) {
    std::set<int> parents;
    for (const MountEntry& mount : tree) parents.insert(mount.parent);
    std::vector<Step> steps;
    for (const MountEntry& mount : tree) {
        const MountEntry* peer = parents.contains(mount.id) ? peers.peer_outside(mount, directory) : nullptr;
        if (peer != nullptr) steps.push_back({.kind = StepKind::unshare, .mount = mount, .peer = peer->target});
    }
    return steps;
}

// What is mounted on a parent outside of the tree, which stays as it is.
void refuse_copies(std::vector<Step>& steps, const Peers& peers, const std::string& directory) {
    for (Step& step : steps) {
        const MountEntry* parent = peers.parent_of(step.mount);
        if (parent == nullptr || lies_under(parent->target, directory)) continue;
        const MountEntry* original = peers.original_of(step.mount);
        if (original == nullptr || lies_under(original->target, directory)) continue;
        refuse(step, format("{} would be unmounted too, since {} shares its mounts", plain(original->target),
                            plain(parent->target)));
        step.problem.remedy = unmount_command(parent->target);
    }
}

// After the last of its mounts, or first of all: its file may be on a mount of the tree, which it keeps busy.
void insert_detach(std::vector<Step>& steps, const LoopDevice& loop) {
    const auto last = std::find_if(steps.rbegin(), steps.rend(), [&](const Step& step) {
        return step.kind == StepKind::unmount && is_on_loop(step.mount, loop.name);
    });
    const auto place = last == steps.rend() ? steps.begin() : last.base();
    steps.insert(place, {.kind = StepKind::detach, .loop = loop});
}

void refuse_detach(Step& step, const MountTable& table, const std::string& directory) {
    for (const MountEntry& mount : table.mounts) {
        if (is_on_loop(mount, step.loop.name) && !lies_under(mount.target, directory)) {
            refuse(step, format("it is mounted on {} too", plain(mount.target)));
        }
    }
}

// Of one that the session needs, every process is a holder: nobody asks which.
void add_holders(Step& step, const Holds& holds, const SessionProcesses& session, const std::string& directory) {
    if (step.state == StepState::refused) return;
    for (const Hold& hold : holds.holds) {
        if (is_held_by(step, hold)) step.holds.push_back(hold);
    }
    if (step.kind == StepKind::unmount && step.mount.target == directory) return;
    const bool is_held = std::ranges::any_of(step.holds, [&](const Hold& hold) { return session.contains(hold); });
    if (is_held) refuse(step, "a process of this session holds it");
}

// Why `other` cannot go as long as `step` stays; empty: it can.
std::string why_kept_by(const Step& step, const Step& other) {
    if (step.kind == StepKind::detach) {
        const bool has_file = other.kind == StepKind::unmount && lies_under(step.loop.backing, other.mount.target);
        return has_file ? format("the file of /dev/{}, which stays, is on it", step.loop.name) : std::string();
    }
    const bool is_kept =
        other.kind == StepKind::unmount ? other.mount.id == step.mount.parent : is_on_loop(step.mount, other.loop.name);
    return is_kept ? format("{} stays mounted", plain(step.mount.target)) : std::string();
}

// What a refused one stands on stays: in the order of the steps, that comes later.
void refuse_what_is_below(std::vector<Step>& steps) {
    for (const Step& step : steps) {
        if (step.state != StepState::refused) continue;
        for (Step& other : steps) {
            if (other.state == StepState::refused) continue;
            if (std::string why = why_kept_by(step, other); !why.empty()) refuse(other, std::move(why));
        }
    }
}

}  // namespace

Caller read_caller(const HostFiles& host) {
    std::set<uid_t> users{::getuid()};
    if (const char* sudo = std::getenv("SUDO_UID"); sudo != nullptr) {
        const std::string_view text = sudo;
        uid_t user = 0;
        if (std::from_chars(text.data(), text.data() + text.size(), user).ec == std::errc{}) users.insert(user);
    }
    return {.pid = ::getpid(), .homes = homes_of(host, users), .boot_mounts = read_fstab(host)};
}

std::vector<MountEntry> mounts_in(const MountTable& table, const std::string& directory) {
    return Tree(table, directory).from_top();
}

std::vector<LoopDevice> loops_in(const std::vector<LoopDevice>& loops, const std::vector<MountEntry>& tree,
                                 const std::string& directory) {
    std::vector<LoopDevice> inside;
    for (const LoopDevice& loop : loops) {
        const bool is_mounted =
            std::ranges::any_of(tree, [&](const MountEntry& mount) { return is_on_loop(mount, loop.name); });
        if (is_mounted || (directory != "/" && lies_under(loop.backing, directory))) inside.push_back(loop);
    }
    return inside;
}

UnmountPlan plan_unmount(const std::string& directory, const UnmountScene& scene, const Holds& holds,
                         const Caller& caller) {
    const std::vector<MountEntry> tree = mounts_in(scene.mounts, directory);
    const SessionProcesses session(scene.processes, caller.pid, directory);
    const Peers peers(scene.mounts);
    UnmountPlan plan{.directory = directory, .steps = {}, .unseen = holds.unseen};
    for (const MountEntry& mount : tree) {
        Step& step = plan.steps.emplace_back(Step{.kind = StepKind::unmount, .mount = mount});
        if (std::string why = why_needed(mount, directory, caller); !why.empty()) refuse(step, std::move(why));
    }
    refuse_copies(plan.steps, peers, directory);
    for (const LoopDevice& loop : loops_in(scene.loops, tree, directory)) insert_detach(plan.steps, loop);
    for (Step& step : plan.steps) {
        if (step.kind == StepKind::detach) refuse_detach(step, scene.mounts, directory);
        add_holders(step, holds, session, directory);
    }
    refuse_what_is_below(plan.steps);
    std::vector<Step> first = steps_that_unshare(peers, tree, directory);
    std::erase_if(first, [&](const Step& unshare) {
        return std::ranges::none_of(plan.steps, [&](const Step& step) {
            return step.kind == StepKind::unmount && step.mount.parent == unshare.mount.id &&
                   step.state != StepState::refused;
        });
    });
    plan.steps.insert(plan.steps.begin(), first.begin(), first.end());
    return plan;
}

bool is_held_by(const Step& step, const Hold& hold) {
    switch (step.kind) {
        case StepKind::unshare: return false;
        case StepKind::unmount: return hold.mount == step.mount.id;
        case StepKind::detach: return hold.loop == step.loop.name;
    }
    return false;
}

bool is_all_done(const UnmountPlan& plan) {
    return std::ranges::all_of(plan.steps, [](const Step& step) { return step.state == StepState::done; });
}

}  // namespace runtime::host
