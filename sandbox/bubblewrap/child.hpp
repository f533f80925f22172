// What a jail in bubblewrap mode's process does behind the fence (bubblewrap/child.cpp, under the rules of init/child.cpp).
#pragma once
#include <cstddef>
#include <cstdint>

#include "sandbox/init/task.hpp"

namespace sandbox {

// A descriptor that a jail in bubblewrap mode inherits has a number below this one: those from here on are used to build it.
inline constexpr int first_private_fd = 256;

// Ready-made plain memory, as ChildTask.
struct BubblewrapTask {
    ChildTask build;  // steps, executables, argv; report_fd; no control socket
    int go_fd;        // one byte: go on; its end: the parent is gone
    int end_fd;       // the command's WaitStatus goes here; -1: no init, the parent waits for the command itself
    bool has_init;
    bool dies_with_parent;
    bool new_session;
    bool changes_ids;  // to the uid and gid of `build`, in a user namespace that was entered
    bool bounds;       // the bounding set is the jail's own, and follows `capabilities`
    bool sets_capabilities;
    int block_fd;
    int sync_fd;
    const char* const* locks;
    std::size_t lock_count;
    const FilterProgram* filters;
    std::size_t filter_count;
    const char* const* directories;
    const char* const* pwd_texts;  // "PWD=" and the directory, one for each
    std::size_t directory_count;
    const char** pwd_place;   // in envp
    const char** shell_argv;  // /bin/sh, room for the program, its arguments
};

[[noreturn]] void bubblewrap_main(const BubblewrapTask& task) noexcept;

}  // namespace sandbox
