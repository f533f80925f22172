#include "runtime/host/unmount/act.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "sandbox/os/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/machine.hpp"

using namespace runtime::host;
using tests::Machine;

namespace {

// What is carried out leaves the working directory: it is that of all tests.
class Here {
  public:
    Here() : here_(sandbox::os::open_directory(AT_FDCWD, ".")) {}
    Here(const Here&) = delete;
    Here& operator=(const Here&) = delete;
    ~Here() { static_cast<void>(::fchdir(here_.get()) == 0); }

  private:
    sandbox::os::Fd here_;
};

UnmountPlan plan_of(StepKind kind) {
    UnmountPlan plan{.directory = "/srv/a", .steps = {}};
    plan.steps.push_back(
        {.kind = kind, .mount = {.id = 40, .target = "/nowhere/at/all"}, .loop = {"loop9", "/srv/x", false}});
    return plan;
}

}  // namespace

TEST_CASE("what has gone meanwhile is done, whoever took it away", "[session][unmount]") {
    const Here here;
    const Machine machine;
    machine.file("proc/self/mountinfo", "20 1 254:0 / / rw - ext4 /dev/vda rw\n\n\xff\nx y z\n");
    for (const StepKind kind : {StepKind::unmount, StepKind::unshare, StepKind::detach}) {
        UnmountPlan plan = plan_of(kind);
        int told = 0;
        carry_out(machine.files(), plan, {.longest_wait = {}, .done = [&](const Step&) { ++told; }});
        CAPTURE(subject_of(plan.steps[0]));
        CHECK(plan.steps[0].state == StepState::done);
        CHECK(told == 1);
        CHECK(is_all_done(plan));
    }
}

TEST_CASE("what is there still, but not at its place, is left and told of", "[session][unmount]") {
    const Here here;
    const Machine machine;
    machine.file("proc/self/mountinfo", "40 1 254:0 / /nowhere/at/all rw - ext4 /dev/vda rw\n");
    UnmountPlan plan = plan_of(StepKind::unmount);
    carry_out(machine.files(), plan, {.longest_wait = {}});
    CHECK(plan.steps[0].state != StepState::done);
    CHECK_FALSE(is_all_done(plan));
}
