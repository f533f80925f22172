// Why a stage has no result. A value, because each is an ordinary way for a stage to end.
#pragma once
#include <string>

#include "stages/failure.hpp"

namespace runtime::supervisor {

using stages::FailureClass;

struct Failure {
    FailureClass kind = FailureClass::script_error;
    std::string what;    // one sentence
    std::string remedy;  // may be empty
};

}  // namespace runtime::supervisor
