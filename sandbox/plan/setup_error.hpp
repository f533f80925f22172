// How a jail failed to come about: the words that the supervisor makes of what its first process reported.
#pragma once
#include <cstdint>
#include <string>

#include "sandbox/os/problem.hpp"
#include "sandbox/plan/failure_record.hpp"
#include "sandbox/plan/plan.hpp"

namespace sandbox {

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
SetupError explain(const FailureRecord& record, const BuildPlan& plan);
SetupError explain(const FailureRecord& record, const BubblewrapPlan& plan);

// One line for a terminal: what, then the remedy where there is one.
std::string to_string(const SetupError& error);

}  // namespace sandbox
