// Limits of a jail: with cgroups where they can be had here, and without.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/own_cgroup.hpp"

using namespace tests::jail;
using namespace tests::support;

namespace {

// Starts 40 processes, says how many it got, and ends them.
constexpr const char* many = "i=0; while [ $i -lt 40 ]; do sleep 20 & i=$((i+1)); echo $i; done 2>&1; wait 2>/dev/null";

int last_number(const std::string& text) {
    int number = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && line.find_first_not_of("0123456789") == std::string::npos) number = std::stoi(line);
    }
    return number;
}

// What doctor says of cgroups: "✓ cgroup v2 ...".
std::string doctor_on_cgroups(const std::map<std::string, std::string>& env) {
    const Result said = tests::support::run({.argv = {stagebox_program(), "doctor"}, .env = env});
    std::istringstream lines(said.out);
    for (std::string line; std::getline(lines, line);) {
        if (line.find("cgroup v2") != std::string::npos) return line;
    }
    return {};
}

}  // namespace

TEST_CASE("pids of a jail with one id are limited with or without a cgroup", "[limits]") {
    const Result ran =
        tests::jail::run(join({"--ids", "single", "--limit-pids", "12"}, with_programs()), {"sh", "-c", many});
    INFO(ran.out << ran.err);
    // The shell is one of the 12.
    CHECK(last_number(ran.out) <= 12);
    CHECK(last_number(ran.out) >= 9);
    const Result free =
        tests::jail::run(join({"--ids", "single"}, with_programs()),
                         {"sh", "-c", "i=0; while [ $i -lt 40 ]; do sleep 1 & i=$((i+1)); echo $i; done; wait"});
    CHECK(last_number(free.out) == 40);
}

TEST_CASE("what cannot be limited here is refused with the reason, and done by rlimits only when asked", "[limits]") {
    // Named, and no other is looked for: so this machine has none, whatever it has.
    const std::map<std::string, std::string> env = {{"STAGEBOX_CGROUP", "/proc"}};
    CHECK(doctor_on_cgroups(env).find("STAGEBOX_CGROUP is /proc, which is not a cgroup") != std::string::npos);
    const auto start = [&](const Words& options, const std::string& script) {
        Start one = start_of(join(options, with_programs()), {"sh", "-c", script});
        one.env = env;
        return tests::support::run(one);
    };
    for (const Words& limit : {Words{"--limit-memory", "64M"}, Words{"--limit-cpu", "1"},
                               Words{"--limit-io-weight", "10"}, Words{"--ids", "range", "--limit-pids", "100"}}) {
        INFO(limit.back());
        const Result refused = start(limit, "echo ran");
        CHECK(refused.code == 125);
        CHECK(refused.out.empty());
        CHECK(refused.err.find("limits that cannot be kept here: ") != std::string::npos);
        CHECK(refused.err.find("fallback = \"rlimits\"") != std::string::npos);
    }
    const Words less = {"--limit-memory", "64M", "--limit-cpu", "1", "--limit-fallback", "rlimits"};
    const Result small = start(less, "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null || echo too much");
    INFO(small.err);
    CHECK(small.out == "too much\n");
    CHECK(start(less, "dd if=/dev/zero of=/dev/null bs=20M count=1 2>/dev/null && echo enough").out == "enough\n");
    const Result range = start({"--ids", "range", "--limit-pids", "12", "--limit-fallback", "rlimits"}, many);
    INFO(range.out << range.err);
    CHECK(last_number(range.out) <= 12);
    CHECK(last_number(range.out) >= 9);
    CHECK(start({"--limit-fallback", "sometimes"}, "true").code == 125);
}

TEST_CASE("a jail has a cgroup of its own, does not see where, and leaves none", "[limits]") {
    const OwnCgroup own;
    if (own.path().empty()) {
        CHECK(::geteuid() != 0);  // an ordinary user: tests/vm/cases/limits has systemd for that
        return;
    }
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    // CPU needs no controller to be there: it is refused then, and nothing is left of the attempt.
    const std::map<std::string, std::string> env = {{"STAGEBOX_CGROUP", own.path()}};
    const std::string doctor = doctor_on_cgroups(env);
    INFO(doctor);
    CHECK(doctor.find("jails have theirs in the cgroup " + own.path()) != std::string::npos);
    CHECK(own.branches().empty());

    Start start = start_of(join({"--ids", ids, "--limit-cpu", "2", "--limit-fallback", "rlimits"}, with_programs()),
                           {"sh", "-c", "cat /proc/self/cgroup; echo there; read line; echo $line"});
    start.env = env;
    start.input = "";
    start.argv.insert(start.argv.begin(), {"/bin/sh", "-c", "(sleep 2; echo done) | \"$@\"", "sh"});
    Process running(start);
    running.wait_for("there");
    REQUIRE(own.branches().size() == 1);
    const std::string jail = own.branches().front() + "/jail-1";
    std::size_t processes = 0;
    std::ifstream list(jail + "/cgroup.procs");
    for (std::string line; std::getline(list, line);) ++processes;
    CHECK(processes >= 2);  // init and the shell
    const Result ran = running.finish();
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out.find("0::/\n") != std::string::npos);
    CHECK(ran.out.find("..") == std::string::npos);
    CHECK(ran.out.ends_with("done\n"));
    CHECK(own.branches().empty());

    if (own.has("memory")) {
        start = start_of(join({"--ids", ids, "--limit-memory", "40M"}, with_programs()),
                         {"sh", "-c", "sleep 30 & dd if=/dev/zero of=/dev/null bs=100M count=1; echo survived"});
        start.env = env;
        const Result killed = tests::support::run(start);
        CHECK(killed.code == 137);
        CHECK(killed.out.empty());
        CHECK(killed.err.find("the command was ended at its limit of memory, 40M") != std::string::npos);
        CHECK(own.branches().empty());
    }
}

TEST_CASE("what a killed supervisor left of its cgroups, the next one removes", "[limits][alone]") {
    const OwnCgroup own;
    if (own.path().empty()) {
        CHECK(::geteuid() != 0);
        return;
    }
    Start start = start_of(join({"--limit-cpu", "2", "--limit-fallback", "rlimits"}, with_programs()),
                           {"sh", "-c", "echo there; sleep 60"});
    start.env = {{"STAGEBOX_CGROUP", own.path()}};
    {
        Process running(start);
        running.wait_for("there");
        running.signal(SIGKILL);
        static_cast<void>(running.finish());
    }
    REQUIRE(own.branches().size() == 1);
    start.argv.back() = "true";
    // Its processes may take a moment to go.
    CHECK(becomes_true([&] { return tests::support::run(start).code == 0 && own.branches().empty(); },
                       std::chrono::seconds(10)));
}
