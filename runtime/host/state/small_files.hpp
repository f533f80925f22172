// Folders of procfs and sysfs whose files hold one value each, read by the hundred: one buffer, one read, no error that
// is not an answer.
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string_view>

#include "sandbox/os/files.hpp"

namespace runtime::host {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

// Null where it cannot be opened; errno says why. `more_flags`: O_NOFOLLOW where the last part must not be a link.
inline Folder open_folder(int parent, const std::string& path, int more_flags = 0) {
    const int folder = ::openat(parent, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | more_flags);
    if (folder < 0 && errno == EBADF) errno = ENOENT;  // of a machine that has no such directory
    return {folder < 0 ? nullptr : ::fdopendir(folder), ::closedir};
}

inline bool is_dot(const dirent& entry) {
    const std::string_view name = entry.d_name;
    return name == "." || name == "..";
}

using Buffer = sandbox::os::SmallBuffer;
using sandbox::os::read_small;
using sandbox::os::read_whole;

}  // namespace runtime::host
