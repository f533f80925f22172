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
#include "tests/unit/temporary_directory.hpp"

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
