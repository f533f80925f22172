// Files of procfs and sysfs that hold one value, read by the hundred: one buffer, one read, no error that is not an answer.
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::host {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;
using Buffer = std::array<char, 4096>;

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

// What one read gives, without the newline at its end; nothing if the file is gone or closed to us. Good until `buffer` is
// used again.
inline std::optional<std::string_view> read_small(int folder, const char* path, Buffer& buffer) {
    const long opened = sandbox::os::try_sys([&] { return ::openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOCTTY); });
    if (opened < 0) return std::nullopt;
    const sandbox::os::Fd file(static_cast<int>(opened));
    const long got = sandbox::os::try_sys([&] { return ::read(file.get(), buffer.data(), buffer.size()); });
    if (got < 0) return std::nullopt;
    std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    if (text.ends_with('\n')) text.remove_suffix(1);
    return text;
}

}  // namespace runtime::host
