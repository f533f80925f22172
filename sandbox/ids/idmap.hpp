// Which ids of the host a jail's ids stand for, and how they are told to the kernel (user_namespaces(7)).
// Reads passwd, group, subuid and subgid, and which ids exist at all where this process is; writes the map files of one
// process. Knows nothing of what the process is for.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sandbox/os/host_files.hpp"
#include "sandbox/os/problem.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// No map can be made. what() has the problem and its remedy in one sentence.
class IdMapError : public os::Error {
  public:
    explicit IdMapError(os::Problem problem);
};

// On whose behalf a map is made.
struct Caller {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string name;  // as subuid(5) lines name the user; empty: looked up when a range is asked for
};
// The process's effective ids. The name is left empty.
[[nodiscard]] Caller current_caller();

struct IdMapChoice {
    IdMap map;
    std::string why;  // one sentence for people: which ids, and where they come from
};

// A jail's range has as many ids as a Debian system gives out, nobody (65534) included.
inline constexpr std::uint32_t range_size = 65536;
// The id, inside a range map, that ExtraId stands behind.
inline constexpr std::uint32_t own_inner_id = range_size;

// range, ordinary user: the first line in subuid and in subgid that is the caller's, by name or by number,
// and has range_size ids; its numbers are decimal and of 32 bits. Lines that only nsswitch's "subid" sources know are
// not seen. range, root: root's own line where it has one; else the first block, aligned to range_size and at or above
// 0x70000000, that no line of the four files touches. systemd's "Users, Groups, UIDs and GIDs" gives containers the ids
// up to 0x6FFFFFFF and leaves those from there to 0x7FFDFFFF to nobody. Where only some ids are mapped, the block is
// one of those. single: the caller's own uid and gid; for root the first id of its range, never the host's root; in a
// user namespace without room for a range, an id from 65000 on that nobody has, or, where root is its only id, that
// one. Throws IdMapError.
[[nodiscard]] IdMapChoice resolve_idmap(IdMode mode, Caller caller = current_caller(), const os::HostFiles& host = {});

// The caller's own ids, reachable in the jail as own_inner_id: for the helper process that moves files
// between the caller's directories and the jail's ids. newuidmap(1) lets everybody map the one id that is
// their own.
struct ExtraId {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};

// Gives process `pid`, which sits in a user namespace without maps, the map. The caller's namespace must be
// the parent of that namespace. `own` may be null; in a single map of the caller's own ids it adds nothing.
//   euid 0 with CAP_SETUID and CAP_SETGID: written directly.
//   single: written directly, after setgroups is denied.
//   range for others: newuidmap and newgidmap, both at once, with a clean environment.
// `pid` must be dumpable: the programs refuse a process whose /proc files belong to root.
// Throws IdMapError, or os::SysError where a map file cannot be written.
void apply_idmap(pid_t pid, const IdMap& map, const ExtraId* own);

// Whether a process with this map can give up its supplementary groups: not where setgroups(2) is denied, as in a
// single map without privilege, and in every namespace below one where it is.
[[nodiscard]] bool can_drop_groups(const IdMap& map, const os::HostFiles& host = {});

// Where newuidmap or newgidmap is; empty if it is not installed. Only /usr/bin and /bin are searched.
[[nodiscard]] std::string find_map_program(std::string_view name);
// Why a map program that exists cannot do its work: no privilege in the file, no_new_privs, nosuid.
[[nodiscard]] std::optional<os::Problem> find_flaw(const std::string& map_program);

// A decimal id without sign or blank; 4294967295 is the kernel's "no id" and refused.
[[nodiscard]] std::optional<std::uint32_t> parse_id(std::string_view text);

}  // namespace sandbox
