#include "sandbox/ids/idmap.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/unit/machine.hpp"

using sandbox::Caller;
using sandbox::IdMapError;
using sandbox::IdMode;
using sandbox::os::HostFiles;

namespace {

// A machine with the user ann, and no ids handed out.
class Files {
  public:
    Files() {
        write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n");
        write("etc/group", "root:x:0:\nann:x:1000:\n");
        write("proc/self/uid_map", "0 0 4294967295\n");
        write("proc/self/gid_map", "0 0 4294967295\n");
    }
    void write(const std::string& path, std::string_view text) const { directory_.write(path, text); }
    void subids(std::string_view text) const {
        write("etc/subuid", text);
        write("etc/subgid", text);
    }
    [[nodiscard]] HostFiles host() const { return HostFiles(directory_.path().string()); }

  private:
    tests::TemporaryDirectory directory_;
};

const Caller ann{1000, 1000, {}};
const Caller root{0, 0, {}};

std::string refusal(const Caller& caller, const Files& at) {
    try {
        (void)resolve_idmap(IdMode::range, caller, at.host());
    } catch (const IdMapError& error) {
        return error.what();
    }
    return "no error";
}

std::string slurp(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// A map file's numbers with single spaces; the kernel pads them.
std::string numbers(const std::string& path) {
    std::istringstream in(slurp(path));
    std::string all;
    for (std::string word; in >> word;) all += (all.empty() ? "" : " ") + word;
    return all;
}

// A process in a new user namespace that sleeps until it is killed.
class Sleeper {
  public:
    Sleeper() {
        std::array<int, 2> ready{};
        REQUIRE(::pipe2(ready.data(), O_CLOEXEC) == 0);
        pid = ::fork();
        if (pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            const char answer = ::unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
            if (::write(ready[1], &answer, 1) == 1) ::pause();
            ::_exit(0);
        }
        ::close(ready[1]);
        char answer = 'n';
        made = ::read(ready[0], &answer, 1) == 1 && answer == 'y';
        ::close(ready[0]);
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    ~Sleeper() {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    [[nodiscard]] std::string map(const char* name) const {
        return numbers("/proc/" + std::to_string(pid) + "/" + name);
    }
    pid_t pid = -1;
    bool made = false;
};

}  // namespace

TEST_CASE("ids are plain decimal numbers below the kernel's 'no id'", "[idmap]") {
    CHECK(sandbox::parse_id("0") == 0U);
    CHECK(sandbox::parse_id("4294967294") == 4294967294U);
    for (const char* wrong : {"", "-1", "+1", " 1", "1 ", "0x10", "4294967295", "4294967296", "99999999999", "a"}) {
        CAPTURE(wrong);
        CHECK_FALSE(sandbox::parse_id(wrong));
    }
}

TEST_CASE("a user's range is the first line that is large enough, by name or by number", "[idmap]") {
    const Files at;
    at.write("etc/subuid", "bob:100000:65536\nann:200000:1000\n1000:300000:65536\nann:400000:65536\n");
    at.write("etc/subgid", "ann:500000:100000\n");
    const auto choice = resolve_idmap(IdMode::range, ann, at.host());
    CHECK(choice.map == sandbox::IdMap{IdMode::range, 300000, 500000, 65536});
    CHECK(choice.why.find("300000-365535") != std::string::npos);
}

TEST_CASE("the name of a user whom passwd does not list is asked of the name services", "[idmap]") {
    const Files at;  // its passwd has no such user; the system has: `nobody`
    at.subids("nobody:200000:65536\n");
    CHECK(resolve_idmap(IdMode::range, {65534, 65534, {}}, at.host()).map.uid_base == 200000);
    // Whom nobody knows has a number.
    CHECK(refusal({3999999, 3999999, {}}, at).find("user 3999999 (uid 3999999)") != std::string::npos);
}

TEST_CASE("lines that hand out root, the caller or ids that do not exist are passed over", "[idmap]") {
    const Files at;
    at.subids(
        "ann:0:65536\nann:900:65536\nann:4294967290:65536\nann:-5:65536\nann:100000:+65536\nann:1:2:3\n"
        "ann:165536:65536\n");
    CHECK(resolve_idmap(IdMode::range, ann, at.host()).map.uid_base == 165536);
}

TEST_CASE("a missing range is an error with the command that adds a free one", "[idmap]") {
    const Files at;
    CHECK(refusal(ann, at) ==
          "no range of 65536 ids for user ann (uid 1000) in /etc/subuid and /etc/subgid"
          "; to mend it: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann");
    at.write("etc/subuid", "bob:90000:20000\nann:300000:65536\n");
    CHECK(refusal(ann, at) ==
          "no range of 65536 ids for user ann (uid 1000) in /etc/subgid"
          "; to mend it: sudo usermod --add-subuids 165536-231071 --add-subgids 165536-231071 ann");
    at.write("etc/subgid", "ann:300000:65535\n");
    CHECK(refusal(ann, at).find("165536-231071") != std::string::npos);
}

TEST_CASE("root takes its own line, or a block that no line touches", "[idmap]") {
    const Files at;
    at.subids("root:200000:65536\n");
    CHECK(resolve_idmap(IdMode::range, root, at.host()).map.uid_base == 200000);

    at.subids("ann:100000:65536\n");
    const auto choice = resolve_idmap(IdMode::range, root, at.host());
    CHECK(choice.map == sandbox::IdMap{IdMode::range, 0x70000000, 0x70000000, 65536});
    CHECK(choice.why.find("root has no line in /etc/subuid") == 0);

    at.write("etc/group", "odd:x:1879048200:\n");
    at.write("etc/subgid", "vm:1879113000:100000\n");
    CHECK(resolve_idmap(IdMode::range, root, at.host()).map.uid_base == 0x70030000);
}

TEST_CASE("a single map is the caller's own id, and never the host's root", "[idmap]") {
    const Files at;
    CHECK(resolve_idmap(IdMode::single, ann, at.host()).map == sandbox::IdMap{IdMode::single, 1000, 1000, 1});
    CHECK(resolve_idmap(IdMode::single, root, at.host()).map ==
          sandbox::IdMap{IdMode::single, 0x70000000, 0x70000000, 1});
}

TEST_CASE("a range map reaches the kernel, with the caller's own id behind it", "[idmap]") {
    const Sleeper child;
    REQUIRE(child.made);
    const Caller me = sandbox::current_caller();
    const auto map = resolve_idmap(IdMode::range).map;
    const sandbox::ExtraId own{me.uid, me.gid};
    sandbox::apply_idmap(child.pid, map, &own);
    CHECK(child.map("uid_map") ==
          "0 " + std::to_string(map.uid_base) + " 65536 65536 " + std::to_string(me.uid) + " 1");
    CHECK(child.map("gid_map") ==
          "0 " + std::to_string(map.gid_base) + " 65536 65536 " + std::to_string(me.gid) + " 1");
    CHECK(child.map("setgroups") == "allow");
}

TEST_CASE("a single map reaches the kernel; without privilege groups stay", "[idmap]") {
    const Sleeper child;
    REQUIRE(child.made);
    const Caller me = sandbox::current_caller();
    const auto map = resolve_idmap(IdMode::single).map;
    const sandbox::ExtraId own{me.uid, me.gid};
    sandbox::apply_idmap(child.pid, map, &own);
    const std::string behind = me.uid == 0 ? " 65536 0 1" : "";
    CHECK(child.map("uid_map") == "0 " + std::to_string(map.uid_base) + " 1" + behind);
    CHECK(child.map("setgroups") == (me.uid == 0 ? "allow" : "deny"));
}

TEST_CASE("newuidmap's refusal is told in its own words", "[idmap]") {
    if (::geteuid() == 0) return;  // root writes the files itself
    const Sleeper child;
    REQUIRE(child.made);
    // Ids of nobody: the programs look them up in subuid and refuse.
    CHECK_THROWS_WITH(sandbox::apply_idmap(child.pid, {IdMode::range, 3000000000U, 3000000000U, 65536}, nullptr),
                      Catch::Contains("/usr/bin/newuidmap failed: newuidmap: ") && Catch::Contains("3000000000"));
}

TEST_CASE("a map program without privilege is named as such", "[idmap]") {
    CHECK(sandbox::find_map_program("no-such-program").empty());
    const auto flaw = sandbox::find_flaw("/bin/true");
    REQUIRE(flaw);
    CHECK(flaw->what == "/bin/true has neither the set-user-ID bit nor a file capability");
    CHECK(flaw->remedy == "sudo apt-get install --reinstall uidmap");
    CHECK_FALSE(sandbox::find_flaw(sandbox::find_map_program("newuidmap")));
}

TEST_CASE("root of a user namespace takes ids that exist there, or says that there are too few", "[idmap]") {
    const Files at;
    const auto map = [&](std::string_view lines) {
        at.write("proc/self/uid_map", lines);
        at.write("proc/self/gid_map", lines);
    };
    const auto choice = [&](IdMode mode) { return resolve_idmap(mode, root, at.host()).map; };

    SECTION("enough for a range beside its own") {
        map("0 1000 1\n1 100000 131071\n");
        CHECK(choice(IdMode::range) == sandbox::IdMap{IdMode::range, 65536, 65536, 65536});
        CHECK(choice(IdMode::single) == sandbox::IdMap{IdMode::single, 65536, 65536, 1});
        at.subids("root:200000:65536\n");  // a line for ids that this namespace does not have
        CHECK(choice(IdMode::range).uid_base == 65536);
    }
    SECTION("the usual 65537 of a rootless container") {
        map("0 1000 1\n1 100000 65536\n");
        CHECK(refusal(root, at).find("have no free block of 65536") != std::string::npos);
        CHECK(refusal(root, at).find("--ids single") != std::string::npos);
        CHECK(choice(IdMode::single) == sandbox::IdMap{IdMode::single, 65000, 65000, 1});
    }
    SECTION("one id") {
        map("0 1000 1\n");
        CHECK(refusal(root, at).find("have no free block of 65536") != std::string::npos);
        CHECK(choice(IdMode::single) == sandbox::IdMap{IdMode::single, 0, 0, 1});
    }
    SECTION("the machine's own root never maps itself") {
        map("0 0 4294967295\n");
        CHECK(choice(IdMode::single) == sandbox::IdMap{IdMode::single, 0x70000000, 0x70000000, 1});
    }
}

TEST_CASE("what distributions write into subuid is understood", "[idmap]") {
    const auto base = [](const std::string& text, const Caller& caller) {
        const Files at;
        at.subids(text);
        return resolve_idmap(IdMode::range, caller, at.host()).map.uid_base;
    };
    CHECK(base("ann:100000:65536\n", ann) == 100000);                  // useradd
    CHECK(base("1000:165536:65536\n", ann) == 165536);                 // by number
    CHECK(base("bob:100000:65536\nann:165536:65536", ann) == 165536);  // no newline at the end
    CHECK(base("ann:524288:1073741824\n", ann) == 524288);             // a billion ids, as podman's pages advise
    CHECK(base("root:1000000:1000000000\n", root) == 1000000);         // as LXD's packages write it
}

TEST_CASE("comments, blank lines and lines of other forms are passed over", "[idmap]") {
    const Files at;
    at.subids(
        "# ann:1000000:65536\n#ann:1000000:65536\n\n   \n:1000000:65536\nann\nann:\nann::\nann:x:y\nann:1000000:\n"
        " ann:1000000:65536\nann :1000000:65536\nANN:1000000:65536\nann:1000000:65536:\nann:1000000:65536 # mine\n"
        "ann:165536:65536\n");
    CHECK(resolve_idmap(IdMode::range, ann, at.host()).map.uid_base == 165536);
}

TEST_CASE("of lines twice and of ranges that overlap, the first that is large enough is taken", "[idmap]") {
    const Files at;
    at.subids(
        "ann:100000:65535\nann:200000:65536\nann:200000:65536\nann:150000:100000\nbob:200000:65536\n1000:300000:"
        "65536\n");
    CHECK(resolve_idmap(IdMode::range, ann, at.host()).map == sandbox::IdMap{IdMode::range, 200000, 200000, 65536});
}

TEST_CASE("numbers past 32 bits, signs, other bases and stray bytes give nobody an id", "[idmap]") {
    using namespace std::string_view_literals;
    for (const std::string_view line :
         {"ann:4294967296:65536\n"sv, "ann:4295067296:65536\n"sv, "ann:100000:4294967296\n"sv,
          "ann:100000:18446744073709551616\n"sv, "ann:18446744073709551615:65536\n"sv, "ann:4294901761:65536\n"sv,
          "ann:-100000:65536\n"sv, "ann:+100000:65536\n"sv, "ann:100000:-65536\n"sv, "ann:0x186A0:0x10000\n"sv,
          "ann:1e5:65536\n"sv, "ann:100000:65536\r\n"sv, "ann:100000:65536\0\n"sv, "ann\0:100000:65536\n"sv,
          "\xef\xbb\xbf"
          "ann:100000:65536\n"sv,
          "ann:\xef\xbc\x91"
          "00000:65536\n"sv}) {
        const Files at;
        at.subids(line);
        CAPTURE(std::string(line));
        CHECK(refusal(ann, at).find("no range of 65536 ids for user ann (uid 1000) in /etc/subuid and /etc/subgid") ==
              0);
    }
    const Files at;
    at.subids(std::string(1 << 20, 'x') + ":100000:65536\n" + "ann:" + std::string(1 << 20, '1') +
              ":65536\nann:165536:65536\n");
    INFO("a line of 1 MiB is passed over like others");
    CHECK(resolve_idmap(IdMode::range, ann, at.host()).map.uid_base == 165536);
}

TEST_CASE("the last ids that exist can be had, and not one more", "[idmap]") {
    const Files at;
    at.subids("ann:4294901759:65536\n");
    CHECK(resolve_idmap(IdMode::range, ann, at.host()).map.uid_base == 4294901759U);
    at.subids("ann:4294901760:65536\n");
    INFO("4294967295 is the kernel's word for no id");
    CHECK(refusal(ann, at).find("no range of 65536 ids") == 0);
}

TEST_CASE("root's own block keeps clear of every id that newuidmap would give to somebody", "[idmap]") {
    const auto base = [](const std::string& line) {
        const Files at;
        at.subids(line);
        return resolve_idmap(IdMode::range, root, at.host()).map.uid_base;
    };
    CHECK(base("") == 0x70000000);
    INFO("newuidmap reads numbers as strtoul(3) does: other bases, blanks and a plus too");
    CHECK(base("vm:0x70000000:65536\n") == 0x70010000);
    CHECK(base("vm:016000000000:0x10000\n") == 0x70010000);
    CHECK(base("vm: +1879048192:65536\n") == 0x70010000);
    CHECK(base("vm:1879048191:2\n") == 0x70010000);
    CHECK(base("vm:-5:65536\n") == 0x70000000);
    for (const char* line : {"vm:1000000:4294967296\n", "vm:1000000:18446744073709551615\n",
                             "vm:1000000:99999999999999999999\n", "vm:0:0xffffffffffffffff\n"}) {
        CAPTURE(line);
        const Files at;
        at.subids(line);
        INFO("a range that is said to be larger than all ids leaves no room behind it");
        CHECK(refusal(root, at).find("no free block of 65536 ids") == 0);
    }
}

TEST_CASE("what passwd and group speak of is taken, whatever else is in their lines", "[idmap]") {
    const Files at;
    at.write("etc/passwd",
             "# comment\n+::::::\nbroken\nroot:x:0:0:root:/root:/bin/sh\nodd:x:1879048200:99999999999:::\n"
             "wide:x:4296015488:0:::\nann:x:1000:1000::/home/ann:/bin/sh\nann2:x:1000:1000:::");
    at.write("etc/group", "g:x:1879113800:ann,bob\n\xff:x:x:\n");
    CHECK(resolve_idmap(IdMode::range, root, at.host()).map.uid_base == 0x70020000);
    at.subids("ann:100000:65536\nann2:200000:65536\n");
    INFO("of two names of one number, passwd's first counts");
    CHECK(resolve_idmap(IdMode::range, ann, at.host()).map.uid_base == 100000);
}

TEST_CASE("a file of ids that cannot be read is an error that names it", "[idmap]") {
    const tests::Machine machine;
    machine.folder("etc/subuid");
    CHECK_THROWS_WITH(resolve_idmap(IdMode::range, Caller{1000, 1000, "ann"}, machine.files()),
                      Catch::Contains("/etc/subuid"));
}

TEST_CASE("map files of other kernels and odd ones", "[idmap]") {
    const auto base = [](std::string_view map) {
        const Files at;
        at.write("proc/self/uid_map", map);
        at.write("proc/self/gid_map", map);
        return resolve_idmap(IdMode::range, root, at.host()).map.uid_base;
    };
    CHECK(base("         0          0 4294967295\n") == 0x70000000);
    CHECK(base("0 0 4294967295") == 0x70000000);
    INFO("lines in another order, that overlap, or of numbers that no map has");
    CHECK(base("65536 200000 131072\n0 1000 65536\n") == 65536);
    CHECK(base("0 1000 300000\n100 2000 5\n") == 65536);
    CHECK(base("0 1000 18446744073709551615\n") == 0x70000000);
    CHECK(base("18446744073709551615 0 10\n0 0 4294967295\n") == 0x70000000);
    for (const char* map : {"", "\n", "x y z\n", "0 0\n", "-1 0 4294967295\n"}) {
        CAPTURE(map);
        CHECK_THROWS_WITH(base(map), Catch::Contains("have no free block of 65536"));
    }
}

TEST_CASE("groups that a namespace keeps are known by the kernel's word", "[idmap]") {
    const auto can_drop = [](std::string_view word) {
        const tests::Machine machine;
        machine.file("proc/self/setgroups", word);
        return sandbox::can_drop_groups({IdMode::range, 100000, 100000, 65536}, machine.files());
    };
    CHECK(can_drop("allow\n"));
    CHECK_FALSE(can_drop("deny\n"));
    CHECK_FALSE(can_drop("deny"));
    CHECK(can_drop(""));
}
