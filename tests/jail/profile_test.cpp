// What the profiles allow, in real jails: each denial beside what is allowed, and files from elsewhere.
#include <sys/stat.h>

#include <chrono>
#include <fstream>

#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;

namespace {

Result under(const std::string& profile, const std::string& script) {
    return tests::jail::run(join({"--profile", profile}, with_programs()), {"sh", "-c", script});
}

class Files {
  public:
    Files() { REQUIRE(::mkdtemp(path_) != nullptr); }
    ~Files() {
        for (const std::string& name : names_) ::remove((std::string(path_) + "/" + name).c_str());
        ::remove(path_);
    }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;
    std::string write(const std::string& name, const std::string& text) {
        names_.push_back(name);
        std::ofstream(std::string(path_) + "/" + name) << text;
        return std::string(path_) + "/" + name;
    }

  private:
    char path_[32] = "/tmp/profile-jail-XXXXXX";
    std::vector<std::string> names_;
};

// scripts/setup --test brings both.
constexpr const char* podman_file = "/usr/share/containers/seccomp.json";
constexpr const char* docker_file = "/usr/local/share/stagebox-tests/docker-seccomp.json";

}  // namespace

TEST_CASE("every profile that ships runs ordinary programs", "[profile]") {
    const std::string profile = GENERATE("build", "fetch", "strict", "shell", "permissive");
    INFO(profile);
    const Result result = under(profile,
                                "mkdir /tmp/d && echo text > /tmp/d/f && cp -p /tmp/d/f /tmp/d/g && "
                                "sed s/text/done/ /tmp/d/g | sort && (sleep 0 & wait) && rm -r /tmp/d");
    INFO(result.err);
    CHECK(result.code == 0);
    CHECK(result.out == "done\n");
}

TEST_CASE("strict has no capability, no other ids, no sockets but AF_UNIX, and no second ABI", "[profile]") {
    const auto strict = [](const Words& command) {
        return tests::jail::run(join({"--profile", "strict"}, bare()), join({"/probe"}, command));
    };
    CHECK(
        under("strict", "grep -E 'Cap(Prm|Eff|Bnd|Inh|Amb)' /proc/self/status | grep -v 0000000000000000").out.empty());
    CHECK(under("build", "grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status | grep -vc 0000000000000000").out == "3\n");
    CHECK(strict({"connect-inet", "127.0.0.1", "1"}).out.find("EAFNOSUPPORT") != std::string::npos);
    CHECK(probe("single", {"connect-inet", "127.0.0.1", "1"}).out == "socket=ok\nconnect=ECONNREFUSED\n");
    CHECK(strict({"connect-unix", "/none"}).out == probe("single", {"connect-unix", "/none"}).out);
    CHECK(under("strict", "chroot / true").code != 0);
    CHECK(under("build", "chroot / true").code == 0);
}

TEST_CASE("nested namespaces and mounts are for the permissive profile alone", "[profile]") {
    CHECK(under("permissive", "unshare -Ur true").code == 0);
    for (const char* profile : {"build", "fetch", "strict", "shell"}) {
        INFO(profile);
        CHECK(under(profile, "unshare -Ur true").code != 0);
    }
    CHECK(under("permissive", "mount -t tmpfs none /tmp && touch /tmp/here").code == 0);
    CHECK(under("build", "mount -t tmpfs none /tmp").code != 0);
}

TEST_CASE("a profile's word is needed for the host's network", "[profile]") {
    const Result refused = under("strict", "true");
    CHECK(refused.code == 0);
    const Result asked =
        tests::jail::run(join({"--profile", "strict", "--share-net"}, with_programs()), {"sh", "-c", "true"});
    CHECK(asked.code == 125);
    CHECK(asked.err.find("allow-add = [\"host-network\"]") != std::string::npos);
    CHECK(tests::jail::run(join({"--profile", "fetch", "--share-net"}, with_programs()), {"sh", "-c", "true"}).code ==
          0);
}

TEST_CASE("a profile's time ends a run with 124, and limits that cannot be kept start nothing", "[profile]") {
    Files files;
    const std::string head = "name = \"p\"\nextends = \"build\"\n";
    const auto begin = std::chrono::steady_clock::now();
    const Result late = under(files.write("time.toml", head + "limits = { time = \"1s\" }\n"), "sleep 60");
    CHECK(late.code == 124);
    CHECK(late.err.find("not done after its time limit of 1 s") != std::string::npos);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(30));
    CHECK(under(files.write("time.toml", head + "limits = { time = \"1h\" }\n"), "exit 3").code == 3);
    // Of those that need a cgroup: spec/limits_test.cpp.
    const Result refused = under(files.write("limit.toml", head + "limits = { idle = \"1s\" }\n"), "echo ran");
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK(refused.err.find("cannot be kept here") != std::string::npos);
}

TEST_CASE("podman's and Docker's own filters load unchanged and hold", "[profile]") {
    const std::string file = GENERATE(as<std::string>{}, podman_file, docker_file);
    INFO(file << ": scripts/setup --test brings it");
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    Files files;
    const std::string head = "name = \"p\"\nseccomp = [\"" + file + "\"]\n";
    const std::string without = files.write("without.toml", head + "capabilities = [\"chown\"]\n");
    const std::string with = files.write("with.toml", head + "capabilities = [\"chown\", \"sys_chroot\"]\n");
    const Result ran = under(without, "echo text | sed s/text/done/");
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out == "done\n");
    // A rule that hangs on a capability, both ways.
    CHECK(under(without, "chroot / true").code != 0);
    CHECK(under(with, "chroot / true").code == 0);
    // What the file itself allows and no word of ours: closed all the same.
    CHECK(under(with, "unshare -Ur true").code != 0);
    const auto answer = [](const std::string& profile, const std::string& number) {
        return tests::jail::run(join({"--profile", profile}, bare()), {"/probe", "syscall", number}).out;
    };
    CHECK(answer(with, "250") == answer("build", "250"));
}
