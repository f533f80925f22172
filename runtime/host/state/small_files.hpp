// Folders of procfs and sysfs whose files hold one value each, read by the hundred: one buffer, one read, no error that is
// not an answer.
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string_view>

#include "sandbox/os/files.hpp"

namespace runtime::host {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

// Null where it cannot be opened; errno says why. Close-on-exec, opendir(3).
inline Folder open_folder(const char* path) {
    return {::opendir(path), ::closedir};
}
inline Folder open_folder(int parent, const char* path) {
    const int folder = ::openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return {folder < 0 ? nullptr : ::fdopendir(folder), ::closedir};
}

inline bool is_dot(const dirent& entry) {
    const std::string_view name = entry.d_name;
    return name == "." || name == "..";
}

using Buffer = sandbox::os::SmallBuffer;
using sandbox::os::read_small;

}  // namespace runtime::host
