#include "runtime/host/state/mounts.hpp"

#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::MountChange;
using sandbox::os::MountChangeKind;
using sandbox::os::MountEntry;
using sandbox::os::MountTable;

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

// The stage is that whose staging directory is named by what showed the mount to be ours.
Verdict judge(const MountChange& change, const Ours& ours, const StorePlace& place, std::string& stage) {
    const MountEntry& mount = change.mount;
    const auto found = [&](std::string reason, std::string_view path) {
        stage = stage_at(path, ours);
        return Verdict{Owner::ours, std::move(reason)};
    };
    if (lies_under(mount.target, ours.store)) return found("its target lies under the store", mount.target);
    if (lies_under(change.moved_from, ours.store)) return found("its target lay under the store", change.moved_from);
    if (lies_under(mount.source, ours.store)) return found("its source lies under the store", mount.source);
    if (!place.root.empty() && mount.major == place.major && mount.minor == place.minor &&
        lies_under(mount.root, place.root)) {
        return found("it shows a part of the store", ours.store + mount.root.substr(place.root.size()));
    }
    const std::size_t named = ours.store.empty() ? std::string::npos : mount.options.find(ours.store + "/");
    if (named != std::string::npos) {
        const std::string_view path = std::string_view(mount.options).substr(named);
        return found("its options name the store", path.substr(0, path.find_first_of(":,")));
    }
    // fuse(4): the one kind that a user may mount, and says who did.
    if (mount.options.find(format("user_id={},", ours.user)) != std::string::npos && ours.user != 0) {
        return {Owner::user, "the user mounted it, and nothing of it lies under the store"};
    }
    return judge_rights(ours);
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

}  // namespace

void compare_mounts(const MountTable& before, const MountTable& after, const Ours& ours,
                    std::vector<Difference>& differences) {
    const StorePlace place = find_store(before.mounts, ours.store);
    for (const MountChange& change : sandbox::os::diff(before, after)) {
        std::string stage;
        Verdict verdict = judge(change, ours, place, stage);
        differences.push_back({Kind::mount,
                               format("{} ({} from {})", plain(change.mount.target), plain(change.mount.fstype),
                                      plain(change.mount.source)),
                               std::string(word_for(change.kind)), verdict.whose, std::move(verdict.reason), stage});
    }
}

}  // namespace runtime::host
