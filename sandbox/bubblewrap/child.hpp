// What a jail in bubblewrap mode's process does behind the fence (bubblewrap/child.cpp, under the rules of
// init/child.cpp).
#pragma once
#include "sandbox/init/task.hpp"

namespace sandbox {

// A descriptor that a jail in bubblewrap mode inherits has a number below this one: those from here on are used to
// build it.
inline constexpr int first_private_fd = 256;

// In one piece of memory, as ChildTask.
struct BubblewrapTask {
    ChildTask build;  // steps, executables, argv, more_filters; report_fd; no control socket
    int go_fd = -1;   // one byte: go on; its end: the parent is gone
    int end_fd = -1;  // the command's WaitStatus goes here; -1: no init, the parent waits for the command itself
    bool has_init = false;
    bool dies_with_parent = false;
    bool new_session = false;
    bool changes_ids = false;  // to the uid and gid of `build`, in a user namespace that was entered
    bool bounds = false;       // the bounding set is the jail's own, and follows `capabilities`
    bool sets_capabilities = false;
    int block_fd = -1;
    int sync_fd = -1;
    NearTexts locks;
    NearTexts directories;
    NearTexts pwd_texts;   // "PWD=" and the directory, one for each
    size_t pwd_place = 0;  // in envp
    NearTexts shell_argv;  // /bin/sh, room for the program, its arguments
};

[[noreturn]] void bubblewrap_main(const BubblewrapTask& task) noexcept;

}  // namespace sandbox
