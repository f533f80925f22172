#include "runtime/host/state/host_state.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "tests/support/catch.hpp"
#include "tests/unit/runtime/host/scene.hpp"

using namespace tests;

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
