// One jail in the foreground of a terminal or a script: signals are passed on, the exit code is the command's.
#pragma once
#include "sandbox/spec.hpp"

namespace runtime::cli {

// Runs the command in the jail and waits for it. Errors of the jail are told on standard error.
// The command's own exit code; 128+N; 126 or 127; 125 where the jail could not be built.
int run_in_foreground(const sandbox::Spec& spec, const sandbox::Command& command);

// The same on a terminal of the jail's own, relayed to the caller's: nothing the payload does to its terminal reaches
// the outer one, and the window's size follows. Standard input must be a terminal.
int run_on_terminal(const sandbox::Spec& spec, sandbox::Command command);

}  // namespace runtime::cli
