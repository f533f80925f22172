#include "runtime/host/unmount/peers.hpp"

#include <algorithm>
#include <sstream>

#include "runtime/host/state/difference.hpp"

namespace runtime::host {
namespace {

using sandbox::os::MountEntry;
using sandbox::os::MountTable;

// Where a mount is in the file system that it is mounted on, whatever part of that its parent shows.
std::string place_on(const MountEntry& parent, const MountEntry& mount) {
    return (parent.root == "/" ? "" : parent.root) +
           mount.target.substr(parent.target == "/" ? 0 : parent.target.size());
}

}  // namespace

// The optional field "shared:N" of a line, proc_pid_mountinfo(5).
Peers::Peers(const MountTable& table) : mounts_(table.mounts) {
    std::istringstream lines(table.text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line.substr(0, line.find(" - ")));
        int id = 0;
        words >> id;
        for (std::string word; words >> word;) {
            if (word.starts_with("shared:")) groups_[id] = word;
        }
    }
}

const MountEntry* Peers::parent_of(const MountEntry& mount) const {
    const auto parent = std::ranges::find(mounts_, mount.parent, &MountEntry::id);
    return parent == mounts_.end() ? nullptr : &*parent;
}

bool Peers::are_peers(const MountEntry& one, const MountEntry& other) const {
    const auto group = groups_.find(one.id);
    const auto its = groups_.find(other.id);
    return one.id != other.id && group != groups_.end() && its != groups_.end() && its->second == group->second;
}

const MountEntry* Peers::peer_outside(const MountEntry& mount, const std::string& directory) const {
    const auto peer = std::ranges::find_if(mounts_, [&](const MountEntry& other) {
        return are_peers(mount, other) && !lies_under(other.target, directory);
    });
    return peer == mounts_.end() ? nullptr : &*peer;
}

const MountEntry* Peers::original_of(const MountEntry& mount) const {
    const MountEntry* parent = parent_of(mount);
    if (parent == nullptr) return nullptr;
    for (const MountEntry& other : mounts_) {
        if (other.id == mount.id) return nullptr;
        const MountEntry* peer = parent_of(other);
        if (peer != nullptr && are_peers(*peer, *parent) && place_on(*peer, other) == place_on(*parent, mount))
            return &other;
    }
    return nullptr;
}

}  // namespace runtime::host
