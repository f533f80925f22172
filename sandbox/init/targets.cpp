#include "sandbox/init/targets.hpp"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "sandbox/init/mounts.hpp"
#include "sandbox/raw/resolve.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {
namespace {

long move_to(long tree, const Target& target) noexcept {
    if (target.name == nullptr) return move_tree(tree, target.handle);
    // A link that somebody put there under that name since it was made is not followed.
    return call(SYS_move_mount, tree, "", target.handle, target.name, MOVE_MOUNT_F_EMPTY_PATH);
}

}  // namespace

bool is_root(const char* path) noexcept {
    return path[0] == '/' && path[1] == '\0';
}

long Targets::resolve(const char* path) const noexcept {
    if (task_.follow_links) return open_below(root_, path, O_PATH, Links::in_root);
    const long fd = open_below(root_, path, O_PATH | O_NOFOLLOW, Links::in_root);
    if (fd < 0) return fd;
    mode_t type = 0;
    const long known = file_type(fd, &type);
    if (known < 0) return known;
    return type == S_IFLNK ? -ELOOP : fd;
}

long Targets::make_parent(const Place& place, const char** leaf) noexcept {
    const char* const path = task_.text(place.path);
    char prefix[longest_path];
    long parent = root_;
    size_t start = 1;
    for (size_t i = 1; path[i] != '\0'; ++i) {
        if (i >= longest_path) return -ENAMETOOLONG;
        prefix[i - 1] = path[i - 1];
        if (path[i] != '/') continue;
        prefix[i] = '\0';
        long next = open_below(root_, prefix, O_PATH | O_DIRECTORY, Links::in_root);
        if (next == -ENOENT) {
            const long made = call(SYS_mkdirat, parent, prefix + start, place.parents);
            if (made < 0) return made;
            next = open_below(root_, prefix, O_PATH | O_DIRECTORY, Links::in_root);
        }
        if (next < 0) return next;
        release(parent);
        parent = next;
        start = i + 1;
    }
    *leaf = path + start;
    return parent;
}

void Targets::release(long parent) const noexcept {
    if (parent != root_) call(SYS_close, parent);
}

long Targets::make_directory(const Place& place, uint32_t mode) noexcept {
    const char* const path = task_.text(place.path);
    if (is_root(path)) return 0;
    const char* name = nullptr;
    const long parent = make_parent(place, &name);
    if (parent < 0) return parent;
    const long made = call(SYS_mkdirat, parent, name, mode);
    release(parent);
    if (made != -EEXIST) return made;
    const long there = open_below(root_, path, O_PATH | O_DIRECTORY, Links::in_root);
    if (there < 0) return there;
    return call(SYS_close, there);
}

// Mostly the place does not exist yet.
Target Targets::make_mount_point(const Place& place, mode_t type) noexcept {
    const char* const path = task_.text(place.path);
    if (is_root(path)) return {resolve(path), nullptr};
    const char* name = nullptr;
    const long parent = make_parent(place, &name);
    if (parent < 0) return {parent, nullptr};
    long made = 0;
    if (type == S_IFDIR) {
        made = call(SYS_mkdirat, parent, name, 0755);
    } else {
        made = call(SYS_openat, parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0444);
        if (made >= 0) call(SYS_close, made);
    }
    if (made >= 0) return {parent, name};
    release(parent);
    if (made != -EEXIST) return {made, nullptr};
    return {resolve(path), nullptr};
}

long Targets::attach(long tree, const Place& place) noexcept {
    mode_t type = 0;
    const long known = file_type(tree, &type);
    if (known < 0) return known;
    const Target target = make_mount_point(place, type);
    if (target.handle < 0) return target.handle;
    const long moved = move_to(tree, target);
    release(target.handle);
    if (moved < 0 || !is_root(task_.text(place.path))) return moved;
    // What is mounted over the root is the root from now on: a path begins below it.
    root_ = static_cast<int>(call(SYS_dup3, tree, first_slot_fd - 2, O_CLOEXEC));
    return root_;
}

long Targets::attach_new(long tree, const Place& place) noexcept {
    if (tree < 0) return tree;
    const long attached = attach(tree, place);
    call(SYS_close, tree);
    return attached;
}

}  // namespace sandbox
