#include <signal.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>

#include "runtime/session/compare.hpp"
#include "runtime/session/host_state.hpp"
#include "runtime/session/receipt.hpp"
#include "runtime/session/session.hpp"

using namespace runtime::session;
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
    return {"/home/ann/.cache/stagebox", 100, {}, {sandbox::IdMode::range, range_base, range_base, 65536}};
}

std::vector<Difference> after_mounts(const std::string& lines) {
    HostState after = host();
    after.mounts = parse_mounts(root_line + home_line + lines);
    return compare(host(), after, ours());
}

std::vector<Difference> after_processes(const std::vector<Process>& more, const Ours& mine = ours(),
                                        Scope scope = Scope::essential) {
    HostState after = host();
    after.processes.insert(after.processes.end(), more.begin(), more.end());
    return compare(host(), after, mine, scope);
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
    const Receipt receipt = make_receipt(host(), host(), ours());
    CHECK(receipt.clean());
    CHECK(receipt.differences.empty());
    CHECK(to_text(receipt) ==
          "receipt: host session untouched: mounts 2 = 2, loop devices 0 = 0, no process of ours left\n");
    CHECK(
        to_json(receipt).dump() ==
        R"({"clean":true,"before":{"mounts":2,"loops":0,"processes":5},"after":{"mounts":2,"loops":0,"processes":5},"differences":[]})");
}

TEST_CASE("a mount is ours by where it lies", "[session]") {
    const auto owner_and_why = [](const std::string& line) {
        const auto differences = after_mounts(line);
        REQUIRE(differences.size() == 1);
        CHECK(differences[0].kind == Kind::mount);
        return (differences[0].owner == Owner::ours ? "ours: " : "other: ") + differences[0].why;
    };
    CHECK(owner_and_why("40 28 0:30 / /home/ann/.cache/stagebox/staging/x rw - tmpfs tmpfs rw\n") ==
          "ours: its target lies under the store");
    CHECK(owner_and_why("40 27 254:1 /@home/ann/.cache/stagebox/layers/a /mnt rw - btrfs /dev/vdb rw\n") ==
          "ours: it shows a part of the store");
    CHECK(owner_and_why("40 27 0:30 / /mnt rw - overlay overlay rw,lowerdir=/home/ann/.cache/stagebox/layers/a\n") ==
          "ours: its options name the store");
    CHECK(owner_and_why("40 27 0:30 / /mnt rw - tmpfs tmpfs rw\n").substr(0, 5) == "other");
    CHECK(owner_and_why("40 28 0:30 / /home/ann/.cache/stagebox2 rw - tmpfs tmpfs rw\n").substr(0, 5) == "other");
    // The same path on another file system.
    CHECK(owner_and_why("40 27 254:0 /@home/ann/.cache/stagebox /mnt rw - ext4 /dev/vda rw\n").substr(0, 5) == "other");
}

TEST_CASE("a loop device is ours by its file", "[session]") {
    HostState after = host();
    after.loops = {{"loop0", "/home/ann/.cache/stagebox/staging/disk", true}, {"loop1", "/var/lib/snap", false}};
    const Receipt receipt = make_receipt(host(), after, ours());
    REQUIRE(receipt.differences.size() == 2);
    CHECK(receipt.differences[0].owner == Owner::ours);
    CHECK(receipt.differences[1].owner == Owner::other);
    CHECK_FALSE(receipt.clean());
    CHECK(to_text(receipt) ==
          "receipt: host session TOUCHED BY THIS RUN: mounts 2 = 2, loop devices 0 -> 2, no process of ours "
          "left\n"
          "  ours: attached /dev/loop0 (/home/ann/.cache/stagebox/staging/disk, deleted); its file lies "
          "under the "
          "store\n"
          "  not ours, meanwhile: 0 changes of mounts, 1 change of loop devices\n");
}

TEST_CASE("a process is ours by descent", "[session]") {
    const auto left = after_processes({{300, 100, 1000, 'S', 0, 30, "sh"}, {301, 300, 1000, 'S', 0, 31, "sleep"}});
    REQUIRE(left.size() == 2);
    CHECK(left[0].owner == Owner::ours);
    CHECK(left[1].why == "it descends from the run's supervisor");

    CHECK(after_processes({{300, 60, 1000, 'S', 0, 30, "firefox"}}).empty());
    const auto all = after_processes({{300, 60, 1000, 'S', 0, 30, "firefox"}}, ours(), Scope::everything);
    REQUIRE(all.size() == 1);
    CHECK(all[0].owner == Owner::other);
}

TEST_CASE("a name cannot steer the terminal or break the JSON", "[session]") {
    HostState after = host();
    after.processes.push_back({300, 100, 1000, 'S', 0, 30, "a\x1b[2J\xff"});
    const Receipt receipt = make_receipt(host(), after, ours());
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
    CHECK(compare(before, after, ours()).size() == 1);
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
    const HostState before = observe();
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
    const auto with_child = compare(before, observe(), mine);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto is_child = [&](const Difference& difference) {
        return difference.owner == Owner::ours && difference.what.find(std::to_string(child)) != std::string::npos;
    };
    CHECK(std::count_if(with_child.begin(), with_child.end(), is_child) == 1);
    CHECK(make_receipt(before, observe(), mine).clean());
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
