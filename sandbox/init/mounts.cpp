#include "sandbox/init/mounts.hpp"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "sandbox/raw/syscall.hpp"

namespace sandbox {

long set_attributes(long tree, uint64_t attributes) noexcept {
    mount_attr wanted = {};
    wanted.attr_set = attributes;
    return call(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &wanted, sizeof wanted);
}

long move_tree(long tree, long target) noexcept {
    return call(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

// Descriptors that fail to close are no concern: exec closes all.
long new_filesystem(const char* type, const MountOption* options, size_t count, unsigned attributes) noexcept {
    const long context = call(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (context < 0) return context;
    for (size_t i = 0; i < count; ++i) {
        const MountOption& option = options[i];
        if (option.value != nullptr && option.value[0] == '\0') continue;
        const auto command = option.value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
        const long set = call(SYS_fsconfig, context, command, option.key, option.value, 0);
        if (set < 0) return set;
    }
    const long created = call(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
    if (created < 0) return created;
    const long tree = call(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
    call(SYS_close, context);
    return tree;
}

long new_tmpfs(const char* size, const char* mode) noexcept {
    const MountOption options[] = {{"mode", mode}, {"size", size}};
    return new_filesystem("tmpfs", options, 2, no_suid_dev);
}

long new_devpts(const char* gid) noexcept {
    const MountOption options[] = {{"newinstance", nullptr}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", gid}};
    return new_filesystem("devpts", options, 4, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

long to_slot(long fd, Slot slot) noexcept {
    if (fd < 0) return fd;
    const long moved = call(SYS_dup3, fd, slot.descriptor(), O_CLOEXEC);
    call(SYS_close, fd);
    return moved;
}

long file_type(long fd, mode_t* type) noexcept {
    struct stat status = {};
    const long answer = call(SYS_newfstatat, fd, "", &status, AT_EMPTY_PATH);
    if (answer < 0) return answer;
    *type = status.st_mode & S_IFMT;
    return 0;
}

}  // namespace sandbox
