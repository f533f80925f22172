#include "runtime/host/state/item.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/runtime/host/scene.hpp"

using namespace tests;

namespace {

// The one difference that one more item makes, as "WHOSE: REASON; STAGE".
std::string judged(Kind kind, const Item& item, const Ours& mine = ours()) {
    HostState state = host();
    Table before;
    Table after;
    after.items["it"] = item;
    std::vector<Difference> differences;
    compare_tables(kind, before, after, mine, Lineage(state.processes, mine), differences);
    REQUIRE(differences.size() == 1);
    CHECK(differences[0].kind == kind);
    CHECK(differences[0].change == "appeared");
    const Difference& one = differences[0];
    return std::string(name_of(one.whose)) + ": " + one.reason + (one.stage.empty() ? "" : "; " + one.stage);
}

}  // namespace

TEST_CASE("a thing is ours by its file, its maker, its cgroup or its owner, and by no name", "[session]") {
    const std::string store = ours().store;
    CHECK(judged(Kind::loop, {"x", {.paths = {store + "/v2/staging/x/disk"}}}) ==
          "ours: its file /home/ann/.cache/stagebox/v2/staging/x/disk lies under the store; rootfs");
    CHECK(judged(Kind::dm, {"vg", {.paths = {"/srv/disk", store + "/disk"}}}).starts_with("ours: its file"));
    CHECK(judged(Kind::loop, {"x", {.paths = {"/var/lib/snap"}}}) ==
          "system: only root can change it, and this run has no rights of root");
    CHECK(judged(Kind::binfmt, {"enabled", {.paths = {store + "/qemu"}}}).starts_with("ours: its file"));
    CHECK(judged(Kind::sysctl, {"|" + store + "/catch %p", {}}) == "ours: its value names the store");
    CHECK(judged(Kind::sysctl, {"|" + store + "2/catch %p", {}}).starts_with("system: "));
    CHECK(judged(Kind::unit, {"active", {.cgroup = "/user.slice/stagebox-1.scope/a"}}) ==
          "ours: its processes are in this run's cgroup; squash");
    CHECK(judged(Kind::unit, {"active", {.uid = 0, .cgroup = "/system.slice/stagebox-1.scope"}}) ==
          "system: root owns it");
    CHECK(judged(Kind::inhibitor, {"", {.uid = 1000, .pid = 100}}) ==
          "ours: process 100 made or holds it: it is the run's supervisor");
    CHECK(judged(Kind::inhibitor, {"", {.pid = 200}}).starts_with("user: process 200 (conmon) made or holds it"));
    CHECK(judged(Kind::nftables, {"", {.pid = 1}}).starts_with("system: process 1 (systemd) made or holds it"));
    CHECK(judged(Kind::ipc, {"", {.uid = range_base + 5, .pid = 999}}) ==
          "ours: its owner 100005 is an id of this run's jails");
    CHECK(judged(Kind::link, {"", {.uid = range_base}}).starts_with("ours: "));
    CHECK(judged(Kind::file, {"file", {.uid = 1000}}).starts_with("user: its owner is the user 1000"));
    CHECK(judged(Kind::file, {"file", {.uid = 1001}}).starts_with("system: another user, 1001"));
    CHECK(judged(Kind::module, {}).starts_with("system: "));
}

TEST_CASE("a thing is ours by a process of ours that leads it, holds it or is in it", "[session]") {
    HostState state = host();
    Process jailed{300, 1, 1000, 'S', 0, 30, "sh"};
    jailed.cgroup = "/user.slice/session-c1.scope/inner";
    jailed.user_namespace = 4026532001;
    state.processes.push_back(jailed);
    state.processes[3].cgroup = "/user.slice/session-1.scope";
    Ours mine = ours();
    mine.wanted = {200};
    const auto judged_beside = [&](Kind kind, const Item& item) {
        Table after;
        after.items["it"] = item;
        std::vector<Difference> differences;
        compare_tables(kind, {}, after, mine, Lineage(state.processes, mine), differences);
        const Difference& one = differences.at(0);
        return std::string(name_of(one.whose)) + ": " + one.reason + (one.stage.empty() ? "" : "; " + one.stage);
    };
    const std::string in_jail = "it is in the user namespace of one of the run's jails; debs";
    CHECK(judged_beside(Kind::login, {"ann", {.uid = 1000, .pid = 300}}) ==
          "ours: process 300 made or holds it: " + in_jail);
    CHECK(judged_beside(Kind::unit, {"active", {.uid = 1000, .cgroup = "/user.slice/session-c1.scope"}}) ==
          "ours: process 300 (sh) is in it: " + in_jail);
    CHECK(judged_beside(Kind::inhibitor, {"", {.uid = 1000, .pid = 200}}) ==
          "ours: process 200 made or holds it: it is a helper of the run's supervisor");
    // A session that the run was started in, and somebody's words that name the store.
    state.processes[4].parent = 100;
    state.processes[4].cgroup = "/user.slice/session-1.scope";
    mine.wanted.clear();
    CHECK(judged_beside(Kind::unit, {"active", {.uid = 1000, .cgroup = "/user.slice/session-1.scope"}})
              .starts_with("user: "));
    CHECK(judged_beside(Kind::inhibitor, {"copies " + mine.store, {.uid = 1000, .pid = 60}}).starts_with("user: "));
}

TEST_CASE("the innermost of a run's cgroups tells the stage", "[session]") {
    Ours mine = ours();
    const std::string scope = "/user.slice/stagebox-1.scope";
    mine.cgroups = {{scope + "/jail-1", "debs"}, {scope, ""}, {scope + "/jail-2", "rootfs"}};
    const auto judged_in = [&](const std::string& cgroup) {
        return judged(Kind::unit, {"active", {.uid = 1000, .cgroup = cgroup}}, mine);
    };
    const std::string reason = "ours: its processes are in this run's cgroup";
    CHECK(judged_in(scope + "/jail-2/inner") == reason + "; rootfs");
    CHECK(judged_in(scope + "/jail-1") == reason + "; debs");
    CHECK(judged_in(scope + "/jail-11") == reason);
    CHECK(judged_in(scope) == reason);
    CHECK(judged_in("/user.slice/stagebox-1.scope2").starts_with("user: "));
    CHECK(judged_in("").starts_with("user: "));
    Process process{300, 1, 1000, 'S', 0, 30, "daemon"};
    process.cgroup = scope + "/jail-2";
    CHECK(Lineage({process}, mine).stage_of(300) == "rootfs");
    process.cgroup = scope + "/other";
    CHECK(Lineage({process}, mine).stage_of(300).empty());
}

TEST_CASE("where no fact tells, nobody is blamed", "[session]") {
    Ours root = ours();
    root.user = 0;
    CHECK(judged(Kind::sysctl, {"1", {}}, root) == "unknown: root changed it, and nothing of it names who");
    CHECK(judged(Kind::module, {}, root).starts_with("unknown: "));
    CHECK(judged(Kind::link, {"", {.uid = 1000}}, root).starts_with("unknown: "));
    Ours shared = ours();
    shared.is_range_shared = true;
    CHECK(judged(Kind::file, {"", {.uid = range_base}}, shared) ==
          "unknown: its owner 100000 is an id of this run's jails, and of others that ran meanwhile");
    Ours single = ours();
    single.ids = {sandbox::IdMode::single, 1000, 1000, 1};
    CHECK(judged(Kind::file, {"", {.uid = 1000}}, single).starts_with("user: "));
}

TEST_CASE("a changed value and a thing that is gone are differences, an unreadable table is none", "[session]") {
    HostState before = host();
    HostState after = host();
    before.tables[Kind::sysctl].items["net.ipv4.ip_forward"] = {"0", {}};
    after.tables[Kind::sysctl].items["net.ipv4.ip_forward"] = {"1", {}};
    before.tables[Kind::ipc].items["shm 3"] = {"owner 1001", {.uid = 1001}};
    before.tables[Kind::nftables].items["table nat of family 2"] = {};
    after.tables[Kind::nftables].unreadable = "only root may read it";
    const Receipt receipt = receipt_of(before, after);
    REQUIRE(receipt.differences.size() == 2);
    CHECK(receipt.differences[0].subject == "net.ipv4.ip_forward: 0 -> 1");
    CHECK(receipt.differences[0].change == "changed");
    CHECK(receipt.differences[1].change == "vanished");
    CHECK(receipt.differences[1].whose == Owner::system);
    CHECK(receipt.unreadable.at("nftables") == "only root may read it");
    CHECK(receipt.clean());
    CHECK(to_text(receipt).ends_with("  not ours, meanwhile: sysctl 1, ipc 1\n"));
    const std::string whole = to_long_text(to_json(receipt));
    CHECK(whole.find("system   sysctl changed net.ipv4.ip_forward: 0 -> 1\n") != std::string::npos);
    CHECK(whole.find("nftables   not readable: only root may read it\n") != std::string::npos);
}
