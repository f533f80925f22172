// Mounts, by the new API (fsopen(2), open_tree(2), move_mount(2), mount_setattr(2)): a tree is made detached, given its
// attributes, and only then put into place. Under the rules of init/child.cpp; each answers as its system call does, or
// -errno.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "sandbox/plan/step.hpp"

namespace sandbox {

inline constexpr unsigned no_suid_dev = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
inline constexpr unsigned no_suid_dev_exec = no_suid_dev | MOUNT_ATTR_NOEXEC;

// Recursively: what is mounted below gets the same. Attributes are only ever added, so those that the kernel locked
// when it copied the mounts into this user namespace stay as they are.
long set_attributes(long tree, uint64_t attributes) noexcept;

struct MountOption {
    const char* key;
    const char* value;  // nullptr: a flag; "": left out
};
// A new, detached file system of that type, as a handle.
long new_filesystem(const char* type, const MountOption* options, size_t count, unsigned attributes) noexcept;
long new_tmpfs(const char* size, const char* mode) noexcept;
long new_devpts(const char* gid) noexcept;

// Puts a detached tree over what the handle `target` is of.
long move_tree(long tree, long target) noexcept;

// Gives a handle the number of the slot, and closes it under its own.
long to_slot(long fd, Slot slot) noexcept;
// The S_IFMT part of what the handle is of.
long file_type(long fd, mode_t* type) noexcept;

}  // namespace sandbox
