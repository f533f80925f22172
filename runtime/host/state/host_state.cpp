#include "runtime/host/state/host_state.hpp"

#include <algorithm>
#include <cstdlib>

#include "runtime/host/state/files.hpp"
#include "runtime/host/state/ipc.hpp"
#include "runtime/host/state/mounts.hpp"
#include "runtime/host/state/network.hpp"
#include "runtime/host/state/settings.hpp"

namespace runtime::host {

const std::vector<Column>& columns() {
    static const std::vector<Column> all{
        {Kind::loop, [](const HostState& state) -> const Table& { return state.loops; }},
        {Kind::dm, [](const HostState& state) -> const Table& { return state.mapper; }},
        {Kind::login, [](const HostState& state) -> const Table& { return state.services.logins; }},
        {Kind::link, [](const HostState& state) -> const Table& { return state.links; }},
        {Kind::address, [](const HostState& state) -> const Table& { return state.addresses; }},
        {Kind::route, [](const HostState& state) -> const Table& { return state.routes; }},
        {Kind::nftables, [](const HostState& state) -> const Table& { return state.nftables; }},
        {Kind::binfmt, [](const HostState& state) -> const Table& { return state.binfmt; }},
        {Kind::module, [](const HostState& state) -> const Table& { return state.modules; }},
        {Kind::sysctl, [](const HostState& state) -> const Table& { return state.sysctls; }},
        {Kind::ipc, [](const HostState& state) -> const Table& { return state.ipc; }},
        {Kind::unit, [](const HostState& state) -> const Table& { return state.services.system.units; }},
        {Kind::unit, [](const HostState& state) -> const Table& { return state.services.user.units; }},
        {Kind::timer, [](const HostState& state) -> const Table& { return state.services.system.timers; }},
        {Kind::timer, [](const HostState& state) -> const Table& { return state.services.user.timers; }},
        {Kind::inhibitor, [](const HostState& state) -> const Table& { return state.services.inhibitors; }},
        {Kind::file, [](const HostState& state) -> const Table& { return state.files; }},
    };
    return all;
}

HostState observe(const std::string& store, Depth depth, const sandbox::os::MountTable& known) {
    HostState state;
    state.mounts = sandbox::os::read_mounts(known);
    state.processes = read_processes();
    state.loops = observe_loops();
    state.mapper = observe_mapper();
    Network network = observe_network();
    state.links = std::move(network.links);
    state.addresses = std::move(network.addresses);
    state.routes = std::move(network.routes);
    state.nftables = observe_nftables();
    state.binfmt = observe_binfmt();
    state.modules = observe_modules();
    state.sysctls = observe_sysctls();
    state.ipc = observe_ipc(state.mounts);
    const char* runtime_directory = std::getenv("XDG_RUNTIME_DIR");
    state.files = observe_files(runtime_directory == nullptr ? "" : runtime_directory, store);
    if (depth == Depth::whole) {
        state.services = observe_services();
    } else {
        Services& services = state.services;
        for (Table* table : {&services.system.units, &services.system.timers, &services.user.units,
                             &services.user.timers, &services.inhibitors, &services.logins}) {
            table->unreadable = "not asked for";
        }
    }
    return state;
}

std::vector<Difference> compare(const HostState& before, const HostState& after, const Ours& ours) {
    std::vector<Difference> differences;
    const Lineage lineage(after.processes, ours);
    compare_mounts(before.mounts, after.mounts, ours, differences);
    compare_processes(before.processes, after.processes, ours, differences);
    for (const Column& column : columns()) {
        compare_tables(column.kind, column.of(before), column.of(after), ours, lineage, differences);
    }
    std::stable_sort(differences.begin(), differences.end(),
                     [](const Difference& a, const Difference& b) { return a.kind < b.kind; });
    return differences;
}

}  // namespace runtime::host
