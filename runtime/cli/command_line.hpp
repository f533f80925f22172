// The command line: which command, with which options. Does nothing itself.
#pragma once

namespace runtime::cli {

// Runs the command that argv names; returns the process's exit code. Throws nothing.
int run_command_line(int argc, char** argv);

}  // namespace runtime::cli
