// What can be seen of the host session from outside a jail, at one moment, and what differs between two. Each kind of
// thing has a file of its own beside this one.
#pragma once
#include <map>
#include <string_view>

#include "runtime/host/state/devices.hpp"
#include "runtime/host/state/item.hpp"
#include "runtime/host/state/processes.hpp"
#include "runtime/host/state/units.hpp"
#include "sandbox/os/host_files.hpp"
#include "sandbox/os/mountinfo.hpp"

namespace runtime::host {

struct HostState {
    sandbox::os::MountTable mounts;
    std::vector<Process> processes;  // by pid
    Services services;
    std::map<Kind, Table> tables;  // of all other kinds

    // Empty where there is none.
    [[nodiscard]] const Table& table(Kind kind) const;
};

// One table of a state: what every reader of a state goes through. Two states have the same ones in the same order.
struct Column {
    Kind kind;
    const Table* table;
    std::string_view whose;  // "user's " of what the user's own manager has
};
[[nodiscard]] std::vector<Column> columns(const HostState& state);

// whole: everything. quick: all but what a bus has to be asked for, which then counts as not readable.
enum class Depth : std::uint8_t { whole, quick };

// `store`: files below it are not looked at. `known`: mounts of an earlier look, which are not parsed again if they are
// the same. Throws SysError, LibmountMissing.
[[nodiscard]] HostState observe(const sandbox::os::HostFiles& host, const std::string& store,
                                Depth depth = Depth::whole, const sandbox::os::MountTable& known = {});

// Everything that differs, in the order of the kinds.
[[nodiscard]] std::vector<Difference> compare(const HostState& before, const HostState& after, const Ours& ours);

}  // namespace runtime::host
