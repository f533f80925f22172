#include "runtime/host/state/host_state.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "runtime/host/state/files.hpp"
#include "runtime/host/state/ipc.hpp"
#include "runtime/host/state/mounts.hpp"
#include "runtime/host/state/network.hpp"
#include "runtime/host/state/settings.hpp"

namespace runtime::host {

namespace {

// What a probe may need of what was seen before it.
struct Look {
    const sandbox::os::HostFiles& host;
    const std::string& store;
    const sandbox::os::MountTable& mounts;
    Network network;
};

// How things of one kind are looked at. A new kind is a row here, one in difference.hpp, and the file that reads it.
struct Probe {
    Kind kind;
    Table (*observe)(Look& look);
};

Table observe_shared_files(Look& look) {
    const char* runtime_directory = std::getenv("XDG_RUNTIME_DIR");
    return observe_files(look.host, runtime_directory == nullptr ? "" : runtime_directory, look.store);
}

constexpr std::array probes = {
    Probe{Kind::loop, [](Look& look) { return observe_loops(look.host); }},
    Probe{Kind::dm, [](Look& look) { return observe_mapper(look.host); }},
    Probe{Kind::link, [](Look& look) { return std::move(look.network.links); }},
    Probe{Kind::address, [](Look& look) { return std::move(look.network.addresses); }},
    Probe{Kind::route, [](Look& look) { return std::move(look.network.routes); }},
    Probe{Kind::nftables, [](Look& look) { return observe_nftables(look.host); }},
    Probe{Kind::binfmt, [](Look& look) { return observe_binfmt(look.host); }},
    Probe{Kind::module, [](Look& look) { return observe_modules(look.host); }},
    Probe{Kind::sysctl, [](Look& look) { return observe_sysctls(look.host); }},
    Probe{Kind::ipc, [](Look& look) { return observe_ipc(look.host, look.mounts); }},
    Probe{Kind::file, observe_shared_files},
};

// What a bus is asked for, all at once.
template <class OfServices, class OfTable>
struct ServiceColumn {
    Kind kind;
    OfTable& (*table)(OfServices& services);
    std::string_view whose = {};
};
template <class S, class T>
constexpr std::array service_columns = {
    ServiceColumn<S, T>{Kind::login, [](S& services) -> T& { return services.logins; }},
    ServiceColumn<S, T>{Kind::unit, [](S& services) -> T& { return services.system.units; }},
    ServiceColumn<S, T>{Kind::unit, [](S& services) -> T& { return services.user.units; }, "user's "},
    ServiceColumn<S, T>{Kind::timer, [](S& services) -> T& { return services.system.timers; }},
    ServiceColumn<S, T>{Kind::timer, [](S& services) -> T& { return services.user.timers; }, "user's "},
    ServiceColumn<S, T>{Kind::inhibitor, [](S& services) -> T& { return services.inhibitors; }},
};

// A mount and a process are compared by rules of their own; every other kind has its tables.
constexpr bool is_looked_at(const KindRow& row) {
    const auto is_of_it = [&](const auto& one) { return one.kind == row.kind; };
    return row.kind == Kind::mount || row.kind == Kind::process || std::ranges::any_of(probes, is_of_it) ||
           std::ranges::any_of(service_columns<Services, Table>, is_of_it);
}
static_assert(std::ranges::all_of(kind_rows, is_looked_at), "a kind that nothing looks at");

}  // namespace

const Table& HostState::table(Kind kind) const {
    static const Table none;
    const auto found = tables.find(kind);
    return found == tables.end() ? none : found->second;
}

std::vector<Column> columns(const HostState& state) {
    std::vector<Column> all;
    for (const Probe& probe : probes) all.push_back({probe.kind, &state.table(probe.kind), {}});
    for (const auto& one : service_columns<const Services, const Table>) {
        all.push_back({one.kind, &one.table(state.services), one.whose});
    }
    return all;
}

HostState observe(const sandbox::os::HostFiles& host, const std::string& store, Depth depth,
                  const sandbox::os::MountTable& known) {
    HostState state;
    state.mounts = sandbox::os::read_mounts(host, known);
    state.processes = read_processes(host);
    Look look{host, store, state.mounts, observe_network(host)};
    for (const Probe& probe : probes) state.tables[probe.kind] = probe.observe(look);
    if (depth == Depth::whole) {
        state.services = observe_services();
    } else {
        for (const auto& one : service_columns<Services, Table>) one.table(state.services).unreadable = "not asked for";
    }
    return state;
}

std::vector<Difference> compare(const HostState& before, const HostState& after, const Ours& ours) {
    std::vector<Difference> differences;
    const Lineage lineage(after.processes, ours);
    compare_mounts(before.mounts, after.mounts, ours, differences);
    compare_processes(before.processes, after.processes, ours, differences);
    const std::vector<Column> then = columns(before);
    const std::vector<Column> now = columns(after);
    for (std::size_t i = 0; i < then.size(); ++i) {
        compare_tables(then[i].kind, *then[i].table, *now[i].table, ours, lineage, differences);
    }
    std::stable_sort(differences.begin(), differences.end(),
                     [](const Difference& a, const Difference& b) { return a.kind < b.kind; });
    return differences;
}

}  // namespace runtime::host
