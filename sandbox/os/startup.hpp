// What a program takes over from whoever started it and cannot work with: for the beginning of main().
#pragma once

namespace sandbox::os {

// A program that ignores SIGCHLD hands that down over exec, and the kernel would reap our children before we could wait
// for them (sigaction(2), SA_NOCLDWAIT). Blocked signals are left as they are: nothing here waits for one by a handler.
void hear_of_children() noexcept;

// A standard stream that is closed becomes /dev/null: else the next file that the program opens has its number, and is
// read, written or handed to a command as if it were the stream. Throws SysError where there is no /dev/null.
void open_closed_streams();

}  // namespace sandbox::os
