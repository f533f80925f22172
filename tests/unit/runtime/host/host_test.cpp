#include <signal.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "runtime/host/check/session.hpp"
#include "runtime/host/receipt/receipt.hpp"
#include "runtime/host/state/host_state.hpp"
#include "tests/support/catch.hpp"

using namespace runtime::host;
using sandbox::os::parse_mounts;

namespace {

const std::string root_line = "27 1 254:0 / / rw - ext4 /dev/vda rw\n";
const std::string home_line = "28 27 254:1 /@home /home rw - btrfs /dev/vdb rw\n";
constexpr std::uint32_t range_base = 100000;

// systemd (1) > user manager (50) > shell (60) > supervisor (100); a container monitor (200) beside it.
HostState host() {
    HostState state;
    state.mounts = parse_mounts(root_line + home_line);
    state.processes = {{1, 0, 0, 'S', 0, 1, "systemd"},
                       {50, 1, 1000, 'S', 0, 5, "systemd"},
                       {60, 50, 1000, 'S', 0, 6, "bash"},
                       {100, 60, 1000, 'S', 0, 10, "stagebox"},
                       {200, 1, 1000, 'S', 0, 20, "conmon"}};
    return state;
}

Ours ours() {
    return {.store = "/home/ann/.cache/stagebox",
            .supervisor = 100,
            .wanted = {},
            .ids = {sandbox::IdMode::range, range_base, range_base, 65536},
            .user = 1000,
            .places = {{"/home/ann/.cache/stagebox/v2/staging/x", "rootfs"}},
            .cgroups = {{"/user.slice/stagebox-1.scope", "squash"}},
            .user_namespaces = {{4026532001, "debs"}}};
}

Receipt receipt_of(const HostState& before, const HostState& after) {
    return make_receipt(before, after, compare(before, after, ours()));
}

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

std::vector<Difference> after_mounts(const std::string& lines) {
    HostState after = host();
    after.mounts = parse_mounts(root_line + home_line + lines);
    return compare(host(), after, ours());
}

std::vector<Difference> all_after_processes(const std::vector<Process>& more, const Ours& mine = ours()) {
    HostState after = host();
    after.processes.insert(after.processes.end(), more.begin(), more.end());
    return compare(host(), after, mine);
}

// Those that are ours.
std::vector<Difference> after_processes(const std::vector<Process>& more, const Ours& mine = ours()) {
    std::vector<Difference> differences = all_after_processes(more, mine);
    std::erase_if(differences, [](const Difference& difference) { return difference.whose != Owner::ours; });
    return differences;
}

SessionFacts facts_with(const std::map<std::string, std::string>& environment) {
    SessionFacts facts;
    facts.variable = [environment](const char* name) -> const char* {
        const auto found = environment.find(name);
        return found == environment.end() ? nullptr : found->second.c_str();
    };
    return facts;
}

}  // namespace

TEST_CASE("a host that did not change has a clean receipt of one line", "[session]") {
    const Receipt receipt = receipt_of(host(), host());
    CHECK(receipt.clean());
    CHECK(receipt.differences.empty());
    CHECK(to_text(receipt) ==
          "receipt: host session untouched: mounts 2 = 2, loop devices 0 = 0, no process of ours left\n");
    CHECK(to_short_json(receipt).dump() == R"({"clean":true,"ours":[]})");
    CHECK(to_json(receipt).at("before").at("process") == 5);
}

TEST_CASE("a mount is ours by where it lies", "[session]") {
    const auto owner_and_why = [](const std::string& line) {
        const auto differences = after_mounts(line);
        REQUIRE(differences.size() == 1);
        CHECK(differences[0].kind == Kind::mount);
        CHECK(differences[0].change == "mounted");
        return std::string(name_of(differences[0].whose)) + ": " + differences[0].reason +
               (differences[0].stage.empty() ? "" : "; " + differences[0].stage);
    };
    CHECK(owner_and_why("40 28 0:30 / /home/ann/.cache/stagebox/v2/staging/x/out rw - tmpfs tmpfs rw\n") ==
          "ours: its target lies under the store; rootfs");
    CHECK(owner_and_why("40 27 254:1 /@home/ann/.cache/stagebox/v2/staging/x/a /mnt rw - btrfs /dev/vdb rw\n") ==
          "ours: it shows a part of the store; rootfs");
    CHECK(owner_and_why("40 27 0:30 / /mnt rw - overlay overlay "
                        "rw,lowerdir=/usr,upperdir=/home/ann/.cache/stagebox/v2/staging/x/layer/fs,xino=off\n") ==
          "ours: its options name the store; rootfs");
    CHECK(owner_and_why("40 27 0:30 / /mnt rw - tmpfs tmpfs rw\n") ==
          "system: only root can change it, and this run has no rights of root");
    CHECK(owner_and_why("40 27 0:30 / /mnt rw - fuse.sshfs a: rw,user_id=1000,group_id=1000\n").starts_with("user: "));
    CHECK(owner_and_why("40 28 0:30 / /home/ann/.cache/stagebox2 rw - tmpfs tmpfs rw\n").starts_with("system: "));
    // The same path on another file system.
    CHECK(owner_and_why("40 27 254:0 /@home/ann/.cache/stagebox /mnt rw - ext4 /dev/vda rw\n").starts_with("system: "));
}

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

TEST_CASE("the first thing of ours that is left is named", "[session]") {
    HostState after = host();
    const std::string disk = "/home/ann/.cache/stagebox/v2/staging/x/disk";
    after.tables[Kind::loop].items["/dev/loop0"] = {disk + ", deleted", {.paths = {disk}}};
    after.tables[Kind::loop].items["/dev/loop1"] = {"/var/lib/snap", {.paths = {"/var/lib/snap"}}};
    const Receipt receipt = receipt_of(host(), after);
    CHECK_FALSE(receipt.clean());
    CHECK(to_text(receipt) ==
          "receipt: host session TOUCHED BY THIS RUN: mounts 2 = 2, loop devices 0 -> 2, no process of ours left\n"
          "  ours: loop appeared /dev/loop0 (" +
              disk + ", deleted); its file " + disk +
              " lies under the store; stage rootfs\n"
              "  not ours, meanwhile: loop 1\n");
}

TEST_CASE("a process is ours by descent", "[session]") {
    const auto left = after_processes({{300, 100, 1000, 'S', 0, 30, "sh"}, {301, 300, 1000, 'S', 0, 31, "sleep"}});
    REQUIRE(left.size() == 2);
    CHECK(left[0].change == "left");
    CHECK(left[1].reason == "it descends from the run's supervisor");

    const auto all = all_after_processes({{300, 60, 1000, 'S', 0, 30, "firefox"}, {301, 1, 0, 'S', 0, 31, "cron"}});
    REQUIRE(all.size() == 2);
    CHECK(all[0].whose == Owner::user);
    CHECK(all[1].whose == Owner::system);
}

TEST_CASE("a process is ours by its jail's namespace or cgroup, wherever it hangs", "[session]") {
    Process jailed{300, 200, range_base, 'S', 0, 30, "daemon"};
    jailed.user_namespace = 4026532001;
    auto left = after_processes({jailed});
    REQUIRE(left.size() == 1);
    CHECK(left[0].stage == "debs");
    // Hanging where an escaped one would, but of a namespace that is seen and another's.
    Process elsewhere{300, 1, range_base, 'S', 0, 30, "daemon"};
    elsewhere.user_namespace = 4026532999;
    CHECK(after_processes({elsewhere}).empty());
    Process grouped{300, 200, 1000, 'S', 0, 30, "daemon"};
    grouped.cgroup = "/user.slice/stagebox-1.scope/stage";
    left = after_processes({grouped});
    REQUIRE(left.size() == 1);
    CHECK(left[0].stage == "squash");
}

TEST_CASE("a process that changes its cgroup or session is told of", "[session]") {
    HostState before = host();
    before.processes[4].cgroup = "/a";
    HostState after = before;
    after.processes[4].cgroup = "/b";
    after.processes[2].session = 60;
    const auto differences = compare(before, after, ours());
    REQUIRE(differences.size() == 2);
    CHECK(differences[0].change == "began a session");
    CHECK(differences[1].change == "moved to another cgroup");
}

TEST_CASE("a name cannot steer the terminal or break the JSON", "[session]") {
    HostState after = host();
    after.processes.push_back({300, 100, 1000, 'S', 0, 30, "a\x1b[2J\xff"});
    const Receipt receipt = receipt_of(host(), after);
    CHECK(to_text(receipt).find("(a\\x1b[2J\\xff, uid") != std::string::npos);
    CHECK_NOTHROW(to_json(receipt).dump());
}

TEST_CASE("what has ended, what is wanted and what was there before is no difference", "[session]") {
    CHECK(after_processes({{300, 100, 1000, 'Z', 0, 30, "sh"}}).empty());
    Ours mine = ours();
    mine.wanted = {300};
    CHECK(after_processes({{300, 100, 1000, 'S', 0, 30, "pager"}, {301, 300, 1000, 'S', 0, 31, "sh"}}, mine).empty());

    HostState before = host();
    before.processes.push_back({300, 100, 1000, 'S', 0, 30, "old"});
    CHECK(compare(before, before, ours()).empty());
    // The number again, another process.
    HostState after = before;
    after.processes.back().start = 99;
    CHECK(compare(before, after, ours()).size() == 2);
}

TEST_CASE("a process of the id range is ours only where an escaped one would be", "[session]") {
    const Process in_range{300, 1, range_base + 7, 'S', 0, 30, "daemon"};
    CHECK(after_processes({in_range}).size() == 1);
    Process adopted = in_range;
    adopted.parent = 50;  // the supervisor's own user manager
    CHECK(after_processes({adopted}).size() == 1);
    Process contained = in_range;
    contained.parent = 200;  // another program's child, started by the same user in the same range
    CHECK(after_processes({contained}).empty());
    // In a single map every program of the caller's has the id.
    Ours mine = ours();
    mine.ids = {sandbox::IdMode::single, 1000, 1000, 1};
    CHECK(after_processes({{300, 1, 1000, 'S', 0, 30, "firefox"}}, mine).empty());
}

TEST_CASE("this machine can be observed, and a child is found and missed", "[session]") {
    const sandbox::os::HostFiles this_machine;
    const HostState before = observe(this_machine, {});
    CHECK_FALSE(before.mounts.mounts.empty());
    const Process* self = find_process(before.processes, ::getpid());
    REQUIRE(self != nullptr);
    CHECK(self->parent == ::getppid());
    CHECK(self->uid == ::geteuid());
    CHECK(self->start > 0);

    Ours mine = ours();
    mine.supervisor = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    const auto with_child = compare(before, observe(this_machine, {}), mine);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto is_child = [&](const Difference& difference) {
        return difference.whose == Owner::ours && difference.subject.find(std::to_string(child)) != std::string::npos;
    };
    CHECK(std::count_if(with_child.begin(), with_child.end(), is_child) == 1);
    const HostState after = observe(this_machine, {});
    CHECK(make_receipt(before, after, compare(before, after, mine)).clean());
}

TEST_CASE("the kind of session is what is nearest to the person", "[session]") {
    CHECK(classify(facts_with({{"CI", "true"}, {"SSH_TTY", "/dev/pts/1"}})).kind == SessionKind::ci);
    CHECK(classify(facts_with({{"SSH_CONNECTION", "a b"}, {"DISPLAY", ":10"}})).kind == SessionKind::ssh);
    CHECK(classify(facts_with({{"WAYLAND_DISPLAY", "wayland-0"}, {"DISPLAY", ":0"}})).kind == SessionKind::wayland);
    CHECK(classify(facts_with({{"DISPLAY", ":0"}})).kind == SessionKind::x11);
    CHECK(classify(facts_with({{"CI", ""}})).kind == SessionKind::none);

    SessionFacts facts = facts_with({});
    facts.container_mark = "/.dockerenv";
    CHECK(describe(classify(facts)) == "session: container (/.dockerenv exists)");
    facts.terminal = static_cast<int>(gnu_dev_makedev(4, 1));
    CHECK(classify(facts).kind == SessionKind::console);
    facts.ancestors = {"bash", "sudo", "sshd-session", "systemd"};
    CHECK(classify(facts).kind == SessionKind::ssh);
}
