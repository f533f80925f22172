// How a jail failed to come about: the 8-byte record that the child can send, and the words the parent makes of it.
#pragma once
#include <cstdint>
#include <string>

#include "sandbox/os/problem.hpp"
#include "sandbox/plan/plan.hpp"

namespace sandbox {

// Where the child was. `step` is an index into the plan; the others are fixed points.
enum class Point : std::uint16_t {
    step,
    clone,  // these three happen before init's program runs
    start_init,
    id_maps,
    network,  // only by launch's before_start
    cgroup,
    handshake,
    parent_death_signal,
    descriptors,
    start_payload,
    drop_init,
    session,
    terminal,
    standard_streams,
    working_directory,
    rlimit,
    bounding_set,
    identity,
    capabilities,
    no_new_privileges,
    nested_namespaces,
    keyring,
    landlock,
    filter,
    execute,
    lock,  // a jail in bubblewrap mode's, index: which
};

// Written by the child in one write(2) to a pipe that closes on exec: nothing read means that the payload runs.
struct FailureRecord {
    Point point;
    std::uint16_t index;  // which step, rlimit, capability or executable
    std::int32_t error;   // errno
};
static_assert(sizeof(FailureRecord) == 8);

// A jail that could not be built.
struct SetupError {
    Point point = Point::step;
    int error = 0;
    os::Problem problem = {};
    std::size_t index = 0;  // of the step, rlimit, capability, executable or lock
    // The jail stood, and only the command could not be executed: 127 not found, 126 otherwise, as a shell's.
    [[nodiscard]] bool is_exec() const { return point == Point::execute; }
};

// Says what failed on what, why, and what to do. `plan` is the one that the child walked.
SetupError explain(const FailureRecord& record, const Plan& plan);

// One line for a terminal: what, then the remedy where there is one.
std::string to_string(const SetupError& error);

}  // namespace sandbox
