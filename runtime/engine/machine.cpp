#include "runtime/engine/machine.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <cstdlib>

#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::engine {

std::uint64_t available_memory() {
    const auto text = sandbox::os::read_file_if_exists(AT_FDCWD, "/proc/meminfo");
    constexpr std::string_view word = "MemAvailable:";
    const std::size_t at = text ? text->find(word) : std::string::npos;
    if (at == std::string::npos) return UINT64_MAX;
    return std::strtoull(text->c_str() + at + word.size(), nullptr, 10) * 1024;
}

std::optional<std::uint64_t> free_bytes(int directory) {
    struct statvfs status {};
    if (sandbox::os::try_sys([&] { return ::fstatvfs(directory, &status); }) < 0) return std::nullopt;
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace runtime::engine
