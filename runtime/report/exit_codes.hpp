// What the program's process ends with, for all commands.
#pragma once

namespace runtime::report {

struct ExitCode {
    static constexpr int done = 0;
    static constexpr int stage_failed = 1;  // of a build
    static constexpr int answer_is_no = 1;  // of a command that asks something: doctor, store check
    static constexpr int bwrap_failed = 1;  // under the name bwrap, whatever went wrong
    static constexpr int wrong_input = 2;   // the command line, or a file that it names
    static constexpr int cannot_run = 3;    // a jail cannot be made, or something else is not there
    static constexpr int host_touched = 4;  // something of ours is left on the host

    // Of a command in a jail in the foreground; else it is the command's own.
    static constexpr int jail_not_built = 125;
    static constexpr int not_executable = 126;
    static constexpr int not_found = 127;

    // As shells say it.
    static constexpr int by_signal(int number) noexcept { return 128 + number; }
};

}  // namespace runtime::report
