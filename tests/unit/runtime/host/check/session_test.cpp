#include "runtime/host/check/session.hpp"

#include <sys/sysmacros.h>

#include <map>

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"

using namespace runtime::host;

namespace {

SessionFacts facts_with(const std::map<std::string, std::string>& environment) {
    SessionFacts facts;
    facts.variable = [environment](const char* name) -> const char* {
        const auto found = environment.find(name);
        return found == environment.end() ? nullptr : found->second.c_str();
    };
    return facts;
}

}  // namespace

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

TEST_CASE("a container is known by the file that its engine puts into it", "[session]") {
    const auto mark = [](const tests::Machine& machine) {
        return read_session_facts(machine.files(), {}).container_mark;
    };
    const tests::Machine docker;
    make_docker_container(docker);
    CHECK(mark(docker) == "/.dockerenv");
    const tests::Machine podman;
    podman.file("run/.containerenv", "engine=\"podman-4.9.3\"\n").file("run/systemd/container", "podman");
    CHECK(mark(podman) == "/run/.containerenv");
    const tests::Machine nspawn;
    nspawn.file("run/systemd/container", "systemd-nspawn\n");
    CHECK(mark(nspawn) == "/run/systemd/container");
    const tests::Machine arch;
    make_arch(arch);
    CHECK(mark(arch).empty());
}

TEST_CASE("logind's word comes before all others, if it says a kind", "[session]") {
    SessionFacts facts = facts_with({{"CI", "true"}});
    facts.login = Login{.id = "3", .type = "tty", .seat = "seat0", .service = "login", .is_remote = false};
    CHECK(describe(classify(facts)) == "session: console (logind's session 3 is a terminal of seat0)");
    facts.login->is_remote = true;
    CHECK(classify(facts).kind == SessionKind::ssh);
    facts.login = Login{.id = "c1", .type = "unspecified", .seat = "", .service = "cron", .is_remote = false};
    INFO("a cron job's session is of no kind, so the environment decides");
    CHECK(classify(facts).kind == SessionKind::ci);
}
