// Most of what can be looked at on a host is a list of named things with a value and an owner: a link, a setting, a
// unit, a file. This is such a list, how two of them differ, and whose a difference is.
#pragma once
#include <map>

#include "runtime/host/state/difference.hpp"

namespace runtime::host {

// What may tell whose a thing is. Only what was found is set; what stands on another thing has that one's.
struct Facts {
    std::vector<std::string> paths =
        {};  // files that it stands on: behind a loop device, an interpreter, a unit's program
    std::optional<std::uint32_t> uid = {};  // who owns it
    pid_t pid = 0;                          // who made it, holds it or leads it
    std::string cgroup = {};                // its processes'
    bool operator==(const Facts&) const = default;
};

struct Item {
    std::string value = {};  // what is a difference when it changes; may be empty
    Facts facts = {};
    bool operator==(const Item&) const = default;
};

// One kind of things at one moment.
struct Table {
    std::map<std::string, Item> items;  // by what each is called
    std::string unreadable = {};        // why nothing could be seen; empty: all could
};

class Lineage;

// Adds what differs. Without an opinion where either moment could not be read.
void compare_tables(Kind kind, const Table& before, const Table& after, const Ours& ours, const Lineage& lineage,
                    std::vector<Difference>& differences);

}  // namespace runtime::host
