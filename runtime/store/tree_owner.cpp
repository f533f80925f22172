#include "runtime/store/tree_owner.hpp"

#include <sys/xattr.h>

namespace runtime::store {

std::optional<sandbox::Owner> recorded_owner(const TreeEntry& entry) {
    const mode_t mode = entry.status.st_mode;
    // A handle, which opens nothing: no FIFO waits and no link is followed.
    const sandbox::os::Fd file(
        sandbox::os::sys([&] { return ::openat(entry.parent, entry.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC); },
                         "look at {}", entry.path));
    const std::string handle = sandbox::os::format("/proc/self/fd/{}", file.get());
    const bool has_text = S_ISREG(mode) || S_ISDIR(mode);
    const char* const name = has_text ? sandbox::owner_attribute : sandbox::capability_attribute;
    char bytes[sandbox::longest_owner];
    const long size = sandbox::os::try_sys([&] { return ::getxattr(handle.c_str(), name, bytes, sizeof bytes); });
    if (size <= 0) return std::nullopt;
    const std::string_view text(bytes, static_cast<std::size_t>(size));
    return has_text ? sandbox::owner_from(text) : sandbox::owner_from_capability(std::as_bytes(std::span(text)));
}

}  // namespace runtime::store
