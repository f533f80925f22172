// Mounts that have their mounts in common, mount_namespaces(7): what is mounted on one appears on its peers, and what
// is unmounted from one goes from all of them.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "sandbox/os/mountinfo.hpp"

namespace runtime::host {

// Of a table, borrowed. Answers are null where there is none.
class Peers {
  public:
    explicit Peers(const sandbox::os::MountTable& table);
    [[nodiscard]] const sandbox::os::MountEntry* parent_of(const sandbox::os::MountEntry& mount) const;
    // A peer of it that is neither at nor below a directory.
    [[nodiscard]] const sandbox::os::MountEntry* peer_outside(const sandbox::os::MountEntry& mount,
                                                              const std::string& directory) const;
    // What would go with it, as it is on the same place of its parent's peer, and was there first: the copy is this
    // one, as a recursive bind makes it. The table has the older first.
    [[nodiscard]] const sandbox::os::MountEntry* original_of(const sandbox::os::MountEntry& mount) const;

  private:
    [[nodiscard]] bool are_peers(const sandbox::os::MountEntry& one, const sandbox::os::MountEntry& other) const;

    const std::vector<sandbox::os::MountEntry>& mounts_;
    std::map<int, const sandbox::os::MountEntry*> by_id_;
};

}  // namespace runtime::host
