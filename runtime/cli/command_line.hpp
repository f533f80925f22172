// The command line: which command, with which options. Does nothing itself.
#pragma once

namespace runtime::cli {

// Runs the command that argv names; returns the process's exit code. Throws nothing.
int run_command_line(int argc, char** argv);

// Only reads it: 0 where it is a command line (of `run`: where it names the command), else its exit code. Says what is
// wrong as the command would.
int check_command_line(int argc, char** argv);

}  // namespace runtime::cli
