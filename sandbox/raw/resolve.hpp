// A path below a directory that a hostile payload may have made, opened without leaving that directory: openat2(2), and
// the same in user space where that call is refused. Under the rules of init/child.cpp: system calls only, so that a
// jail's child may use it. Knows nothing of plans.
#pragma once
#include <stdint.h>

namespace sandbox {

// What a symbolic link on the way may do. Links of procfs that are more than their text never lead anywhere (ELOOP).
enum class Links : uint8_t {
    in_root,  // the directory is "/", as after chroot(2): absolute links and ".." end there
    beneath,  // followed, but a link or ".." that leads out is an error (EXDEV)
    refused,  // every link is an error (ELOOP), and a ".." that leads out (EXDEV)
};

// A close-on-exec handle on `path` below `directory`, or -errno. `flags` are openat(2)'s, without O_CREAT; with
// O_NOFOLLOW | O_PATH a link as last component is itself the answer. By walk_below() where openat2 is missing or
// refused by a container's filter (ENOSYS, EPERM), and where it gives up because something was renamed meanwhile
// (EAGAIN).
long open_below(long directory, const char* path, uint64_t flags, Links links) noexcept;

// The same in user space. Every component is opened by itself, below the handle on the one before, without following
// it; the text of a link takes its place in the path, at most 40 times as in path_resolution(7). ".." goes back to a
// handle that is still held, so nothing that is moved meanwhile leads out. Stricter than openat2 in two things: every
// link of procfs is refused, and so are more than 256 directories one below the other (ENAMETOOLONG).
long walk_below(long directory, const char* path, uint64_t flags, Links links) noexcept;

}  // namespace sandbox
