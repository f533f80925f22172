#include "runtime/host/unmount/peers.hpp"

#include <algorithm>
#include <string_view>

#include "runtime/host/state/difference.hpp"

namespace runtime::host {
namespace {

using sandbox::os::MountEntry;

// Where a mount is in the file system that it is mounted on, whatever part of that its parent shows.
std::string place_on(const MountEntry& parent, const MountEntry& mount) {
    return (parent.root == "/" ? "" : parent.root) +
           mount.target.substr(parent.target == "/" ? 0 : parent.target.size());
}

// "shared:N", or nothing.
std::string_view group_of(const MountEntry& mount) {
    const std::string_view fields = mount.optional_fields;
    const std::size_t at = fields.find("shared:");
    return at == std::string_view::npos ? std::string_view() : fields.substr(at, fields.find(' ', at) - at);
}

}  // namespace

Peers::Peers(const sandbox::os::MountTable& table) : mounts_(table.mounts) {
    for (const MountEntry& mount : mounts_) by_id_.emplace(mount.id, &mount);
}

const MountEntry* Peers::parent_of(const MountEntry& mount) const {
    const auto parent = by_id_.find(mount.parent);
    return parent == by_id_.end() ? nullptr : parent->second;
}

bool Peers::are_peers(const MountEntry& one, const MountEntry& other) const {
    const std::string_view group = group_of(one);
    return one.id != other.id && !group.empty() && group == group_of(other);
}

const MountEntry* Peers::peer_outside(const MountEntry& mount, const std::string& directory) const {
    if (group_of(mount).empty()) return nullptr;
    const auto peer = std::ranges::find_if(mounts_, [&](const MountEntry& other) {
        return are_peers(mount, other) && !lies_under(other.target, directory);
    });
    return peer == mounts_.end() ? nullptr : &*peer;
}

const MountEntry* Peers::original_of(const MountEntry& mount) const {
    const MountEntry* parent = parent_of(mount);
    if (parent == nullptr || group_of(*parent).empty()) return nullptr;
    for (const MountEntry& other : mounts_) {
        if (other.id == mount.id) return nullptr;
        const MountEntry* peer = parent_of(other);
        if (peer != nullptr && are_peers(*peer, *parent) && place_on(*peer, other) == place_on(*parent, mount))
            return &other;
    }
    return nullptr;
}

}  // namespace runtime::host
