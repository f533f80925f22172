// Why a stage has no result, and what was known when that was decided. A value, because each is an ordinary way for a stage
// to end.
#pragma once
#include <optional>
#include <string>

#include "stages/pipeline/failure_policy.hpp"

namespace runtime::engine {

using stages::FailureClass;

struct Failure {
    FailureClass kind = FailureClass::script_error;
    std::string what;           // one sentence
    std::string remedy;         // what to do about it; may be empty
    std::string found_by = {};  // what told the class: a fact, or a tool and its line; may be empty
    std::optional<int> exit_code = {};
    int signal = 0;           // that ended the command; 0: none did
    double seconds = 0;       // how long its command ran; 0 where it did not come so far
    std::string limits = {};  // those that were in force, and how near it came; empty where there were none
};

}  // namespace runtime::engine
