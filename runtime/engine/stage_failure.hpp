// Why a stage has no result, and what was known when that was decided. A value, because each is an ordinary way for a
// stage to end.
#pragma once
#include <string>

#include "sandbox/os/problem.hpp"
#include "sandbox/os/wait_status.hpp"
#include "stages/pipeline/failure_policy.hpp"

namespace runtime::engine {

using stages::FailureClass;

struct Failure {
    FailureClass kind = FailureClass::script_error;
    sandbox::os::Problem problem = {};
    std::string found_by = {};         // what told the class: a fact, or a tool and its line; may be empty
    sandbox::os::WaitStatus how = {};  // of the command; unseen where it did not come so far
    int signal = 0;                    // that ended the command, or a program in it; 0: none did
    double seconds = 0;                // how long its command ran; 0 where it did not come so far
    std::string limits = {};           // those that were in force, and how near it came; empty where there were none
};

}  // namespace runtime::engine
