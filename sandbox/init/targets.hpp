// Where things go below the new root, which a hostile payload may have filled: names are only ever resolved by
// descriptor, below that root, without magic links (resolve.hpp). Under the rules of init/child.cpp; each answers
// -errno where it fails.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sandbox/init/task.hpp"

namespace sandbox {

inline constexpr size_t longest_path = 4096;

bool is_root(const char* path) noexcept;

// Where a tree goes: a handle, or a name in the directory that the handle is of.
struct Target {
    long handle;
    const char* name;
};

class Targets {
  public:
    explicit Targets(const ChildTask& task) noexcept : task_(task) {}

    [[nodiscard]] int root() const noexcept { return root_; }
    void set_root(long root) noexcept { root_ = static_cast<int>(root); }

    // A handle on `path` itself; a last component that is a symbolic link is refused, unless links are to be followed.
    [[nodiscard]] long resolve(const char* path) const noexcept;
    // Creates the directories above the place that are missing; returns a handle on the last, which is let go by
    // let_go(), and the name below it.
    long make_parent(const Place& place, const char** leaf) noexcept;
    void release(long parent) const noexcept;
    long make_directory(const Place& place, uint32_t mode) noexcept;

    // Puts a detached tree at the place, which is created as an empty file or directory where it does not exist.
    long attach(long tree, const Place& place) noexcept;
    // The same, and closes the tree; a negative one is the answer.
    long attach_new(long tree, const Place& place) noexcept;

  private:
    Target make_mount_point(const Place& place, mode_t type) noexcept;

    const ChildTask& task_;
    int root_ = -1;
};

}  // namespace sandbox
