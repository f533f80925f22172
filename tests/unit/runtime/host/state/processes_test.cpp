#include "runtime/host/state/processes.hpp"

#include <unistd.h>

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"
#include "tests/unit/runtime/host/scene.hpp"

using namespace tests;

namespace {

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

}  // namespace

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

TEST_CASE("processes are read from procfs, by their numbers", "[session][processes]") {
    const Machine machine;
    machine.process({.pid = 20, .parent = 1, .comm = "a) b (c", .session = 7, .terminal = 34816, .start = 4242});
    machine.process({.pid = 3, .comm = "kthreadd", .flags = 0x00208040});
    machine.process({.pid = 1, .comm = "systemd"});
    machine.folder("proc/self");
    machine.file("proc/uptime", "1.0 2.0\n");
    const std::vector<Process> all = read_processes(machine.files());
    REQUIRE(all.size() == 2);
    CHECK(all[0].comm == "systemd");
    const Process& second = all[1];
    INFO("a name ends at the last bracket of the line");
    CHECK(second.comm == "a) b (c");
    CHECK(second.pid == 20);
    CHECK(second.parent == 1);
    CHECK(second.session == 7);
    CHECK(second.terminal == 34816);
    CHECK(second.start == 4242);
    CHECK(second.state == 'S');
    CHECK(second.uid == ::geteuid());
    CHECK(second.user_namespace == 4026531837);
}

TEST_CASE("a process without a line that can be understood is left out", "[session][processes]") {
    const std::string rest = " 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 ";
    const auto count = [](std::string_view line) {
        const Machine machine;
        machine.process({.pid = 5}).file("proc/5/stat", line);
        return read_processes(machine.files()).size();
    };
    CHECK(count("5 (sh) S 1 5 5" + rest + "77 4096\n") == 1);
    CHECK(count("5 (sh) S 1 5 5" + rest + "77") == 1);
    CHECK(count("5 (two\nlines) S 1 5 5" + rest + "77 1\n") == 1);
    for (const std::string& line : std::vector<std::string>{
             "", "\n", "5", "5 (sh", "5 sh) S", ") (", "5 (sh)", "5 (sh) S", "5 (sh) S 1 5 5",
             "5 (sh) S x y z" + rest + "77", "5 (sh) S 1 5 5" + rest, "5 (sh) S 4294967297 5 5" + rest + "77",
             "5 (sh) S 1 5 4294967297" + rest + "77", "5 (sh) S 1 5 5" + rest + "18446744073709551616",
             "5 (sh) S 1 5 5" + rest + "-1", std::string("\0\0\0\0\0\0\0\0", 8), std::string(1 << 20, 'x')}) {
        CAPTURE(line.substr(0, 100));
        CHECK(count(line) == 0);
    }
}

TEST_CASE("what only looks like a process is none", "[session][processes]") {
    const Machine machine;
    machine.process({.pid = 12});
    for (const char* name : {"12x", "0012", "99999999999", "4294967308", "-12", "1 2"}) {
        machine.file(std::string("proc/") + name + "/stat",
                     "12 (sh) S 1 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 7 1\n");
    }
    const std::vector<Process> all = read_processes(machine.files());
    INFO("4294967308 is 12 where 32 bits wrap around");
    REQUIRE(all.size() == 1);
    CHECK(all[0].start == 100);
}

TEST_CASE("a process is in the cgroup of version 2, wherever its line is and however long", "[session][processes]") {
    const auto cgroup = [](std::string_view text) {
        const Machine machine;
        machine.process({.pid = 5, .cgroup = std::string(text)});
        return read_processes(machine.files()).at(0).cgroup;
    };
    CHECK(cgroup("0::/user.slice/a.scope\n") == "/user.slice/a.scope");
    CHECK(cgroup("12:memory:/x\n1:name=systemd:/y\n0::/z\n") == "/z");
    CHECK(cgroup("12:memory:/0::/x\n1:name=systemd:/y\n").empty());
    CHECK(cgroup("0::/no newline") == "/no newline");
    CHECK(cgroup("").empty());
    const std::string deep = "/" + std::string(3000, 'd') + "/" + std::string(3000, 'e');
    INFO("a path that is cut short would be another cgroup's");
    CHECK(cgroup("2:cpu:" + deep + "\n0::" + deep + "\n") == deep);
}

TEST_CASE("a process in a container's user namespace that cannot be seen has number 0", "[session][processes]") {
    const Machine machine;
    machine.process({.pid = 5});
    for (const char* target : {"user:[", "user:[x]", "mnt:[4026531841]", "user:[18446744073709551616]"}) {
        machine.link("proc/5/ns/user", target);
        CAPTURE(target);
        CHECK(read_processes(machine.files()).at(0).user_namespace == 0);
    }
}

TEST_CASE("a machine without /proc is an error that names it", "[session][processes]") {
    const Machine machine;
    CHECK_THROWS_WITH(read_processes(machine.files()), Catch::Contains("open /proc"));
}

TEST_CASE("parents that are each other's children end the search", "[session][processes]") {
    const std::vector<Process> circle{{.pid = 5, .parent = 6, .uid = range_base},
                                      {.pid = 6, .parent = 5, .uid = range_base}};
    const Ours mine = ours();
    const Lineage lineage(circle, mine);
    CHECK(lineage.why_ours(5).empty());
    CHECK_FALSE(lineage.is_helper(circle[0]));
}
