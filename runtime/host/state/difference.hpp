// What changed on the host between two moments, and whose it is. Decided by facts that the kernel gives (where a thing
// lies, who made it, who owns it), never by what it is called. Knows nothing of how the host is looked at.
#pragma once
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/os/text.hpp"
#include "sandbox/spec/spec.hpp"

namespace runtime::host {

// In the order in which a receipt names them; each has a row below, and what is not a mount or a process a probe in
// host_state.cpp.
enum class Kind : std::uint8_t {
    mount,
    loop,
    dm,
    process,
    login,
    link,
    address,
    route,
    nftables,
    binfmt,
    module,
    sysctl,
    ipc,
    unit,
    timer,
    inhibitor,
    file,
};

// Who can change such a thing.
enum class ChangedBy : std::uint8_t { anybody, root };
// Whether a run itself makes such things on the host, for as long as it goes on.
enum class InRun : std::uint8_t { never, passing };

struct KindRow {
    Kind kind;
    std::string_view name;
    ChangedBy changed_by = ChangedBy::anybody;
    InRun in_run = InRun::never;
};

// In the order of the enumeration.
inline constexpr std::array kind_rows = {
    KindRow{Kind::mount, "mount"},
    KindRow{Kind::loop, "loop", ChangedBy::root},
    KindRow{Kind::dm, "dm", ChangedBy::root},
    KindRow{Kind::process, "process", ChangedBy::anybody, InRun::passing},
    KindRow{Kind::login, "login"},
    KindRow{Kind::link, "link", ChangedBy::root},
    KindRow{Kind::address, "address", ChangedBy::root},
    KindRow{Kind::route, "route", ChangedBy::root},
    KindRow{Kind::nftables, "nftables", ChangedBy::root},
    KindRow{Kind::binfmt, "binfmt", ChangedBy::root},
    KindRow{Kind::module, "module", ChangedBy::root},
    KindRow{Kind::sysctl, "sysctl", ChangedBy::root},
    KindRow{Kind::ipc, "ipc", ChangedBy::anybody, InRun::passing},
    KindRow{Kind::unit, "unit", ChangedBy::anybody, InRun::passing},
    KindRow{Kind::timer, "timer"},
    KindRow{Kind::inhibitor, "inhibitor"},
    KindRow{Kind::file, "file", ChangedBy::anybody, InRun::passing},
};

[[nodiscard]] constexpr const KindRow& row_of(Kind kind) {
    return kind_rows.at(static_cast<std::size_t>(kind));
}
static_assert(std::ranges::all_of(kind_rows, [](const KindRow& row) { return &row == &row_of(row.kind); }),
              "a row that is not in its place");
[[nodiscard]] constexpr std::string_view name_of(Kind kind) {
    return row_of(kind).name;
}

// ours: a fact shows that this run did it, which is a defect.
// user, system: another process or a thing of the user who builds; of root, of a service or of another user.
// declared: the pipeline says that its build does it (requires-services).
// unknown: no fact tells. It is said, and nobody is blamed.
enum class Owner : std::uint8_t { ours, user, system, declared, unknown };
[[nodiscard]] std::string_view name_of(Owner owner);

// Before the name of a unit of the user's own manager.
inline constexpr std::string_view user_mark = "user: ";

struct Verdict {
    Owner whose = Owner::unknown;
    std::string reason;  // the fact that decided
};

struct Difference {
    Kind kind = Kind::mount;
    std::string subject;
    std::string change;  // one word: mounted, attached, appeared, changed, ...
    Owner whose = Owner::unknown;
    std::string reason;
    std::string stage;  // of ours: which stage did it, and which may have where several ran; empty: none did
    bool operator==(const Difference&) const = default;
};

// Something of one stage by which its traces are known.
template <class Fact>
struct OfStage {
    Fact fact;
    std::string stage;
};

// What belongs to this run.
struct Ours {
    std::string store = {};          // absolute, without symbolic links
    pid_t supervisor = 0;            // a child subreaper (prctl(2)), so that what its children lose comes to it
    std::vector<pid_t> wanted = {};  // its children that are meant to be alive at the second moment
    sandbox::IdMap ids = {};
    std::uint32_t user = 0;                         // who builds; root may do anything, others nothing global
    std::vector<OfStage<std::string>> places = {};  // staging directories
    // Of its jails, as /proc/PID/cgroup names them; and the one that they are in, which is of no stage.
    std::vector<OfStage<std::string>> cgroups = {};
    std::vector<OfStage<std::uint64_t>> user_namespaces = {};  // of its jails: inode numbers, namespaces(7)
    std::set<std::string> host_services = {};                  // units that were started as the pipeline says
    bool is_range_shared = false;                              // others with ids of this range were seen meanwhile

    [[nodiscard]] bool in_range(std::uint32_t uid) const;
    // The innermost of the run's cgroups that `cgroup` is or lies in; null: none.
    [[nodiscard]] const OfStage<std::string>* find_cgroup(std::string_view cgroup) const;
    // systemd calls a unit's cgroup like the unit.
    [[nodiscard]] bool declares_cgroup(std::string_view cgroup) const;
    // A range of the user's own id says nothing: all of the user's programs have it.
    [[nodiscard]] bool range_tells() const { return !in_range(user); }
};

// The path itself, or something below it; never for an empty folder.
[[nodiscard]] bool lies_under(std::string_view path, std::string_view folder);
// Names come from whoever mounts or runs something, a payload too: they must not steer the terminal that shows the
// receipt, nor break its JSON, which is UTF-8. What is not plain ASCII is shown as \xNN.
using sandbox::os::plain;

// Of what the build does because its pipeline says so.
[[nodiscard]] Verdict declared_verdict();
// Of a thing that an id owns.
[[nodiscard]] Verdict judge_owner(std::uint32_t uid, const Ours& ours);
// Of what only root can change, where no fact names the run: a run without root's rights has not done it.
[[nodiscard]] Verdict judge_rights(const Ours& ours);
// The stage whose staging directory `path` lies in; empty: none.
[[nodiscard]] std::string stage_at(std::string_view path, const Ours& ours);

}  // namespace runtime::host
