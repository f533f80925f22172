// What a pipeline requires of its host, where no systemd is: it is said, and nothing runs. With one:
// tests/vm/cases/host-services.
#include <unistd.h>

#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;

namespace {

constexpr const char* requiring = R"toml(
requires-services = [
    "postgresql.service",
    { name = "vm-none.socket", manager = "user", allow-start = true, timeout = "2m" },
]
[stage.a]
from = "host"
run = ["true"]
)toml";

bool has_systemd() {
    return ::access("/run/systemd/system", F_OK) == 0;
}

}  // namespace

TEST_CASE("without a systemd a build that requires services does not start, and says all that it lacks",
          "[host-services]") {
    if (has_systemd()) {
        unavailable("a host without systemd: here units would be looked up");
        return;
    }
    const Workspace workspace;
    workspace.pipeline(requiring);
    const Result result = workspace.build({"--allow", "host-services"});
    CHECK(result.code == 3);
    CHECK(says(result, "the build does not start: what it requires of this host is not there"));
    CHECK(says(result,
               "stagebox.toml:5:5: the unit postgresql.service cannot be looked up: no D-Bus is to be reached: "
               "unix:path=/run/dbus/system_bus_socket"));
    CHECK(says(result,
               "stagebox.toml:6:14: the user's unit vm-none.socket cannot be looked up: no D-Bus is to be reached"));
    CHECK(says(result, "help: what a pipeline requires of its host is asked of the host's systemd"));
    CHECK_FALSE(says(result, "a | starts"));
    CHECK(is_at_rest(workspace));

    // A build in the background says so to who starts it.
    const Result detached = workspace.build({"--detach", "--allow", "host-services"});
    CHECK(detached.code == 3);
    CHECK(says(detached, "the unit postgresql.service cannot be looked up"));
    CHECK(detached.out.empty());

    const Result looked = run({.argv = {stagebox_program(), "session", "check", "-f",
                                        workspace.project() + "/stagebox.toml", "--store", workspace.store()}});
    CHECK(looked.code == 3);
    CHECK(says(looked, "harm: service: the unit postgresql.service cannot be looked up"));
}

TEST_CASE("check and plan name what a pipeline requires of its host", "[host-services]") {
    const Workspace workspace;
    workspace.pipeline(requiring);
    const std::string file = workspace.project() + "/stagebox.toml";
    for (std::vector<std::string> words :
         {std::vector<std::string>{"check"}, {"plan", "--store", workspace.store(), "a"}}) {
        words.insert(words.begin(), stagebox_program());
        words.insert(words.end(), {"-f", file});
        const Result result = run({.argv = words});
        INFO(result.err);
        CHECK(result.code == 0);
        CHECK(says(result, "requires-services: postgresql.service, not started by a build\n"));
        CHECK(says(result,
                   "requires-services: vm-none.socket of the user's manager, started where it is inactive, within 120 "
                   "s, and put back\n"));
        // Who reads a plan runs nothing.
        const bool is_check = words[1] == "check";
        CHECK(says(result, "asks for host-services: starting services of the host, by the pipeline\n") == is_check);
    }
}
