#include "sandbox/os/host_files.hpp"

#include <fcntl.h>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox::os {
namespace {

// What is not there, or closed to us, has no descriptor. Any other failure (no descriptor left, no memory) would make a
// reader believe that this machine has nothing there.
Fd open_if_there(const std::string& path) {
    const long opened = try_sys([&] { return ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); });
    if (opened >= 0) return Fd(static_cast<int>(opened));
    if (opened == -ENOENT || opened == -ENOTDIR || opened == -EACCES) return {};
    throw SysError(static_cast<int>(-opened), format("open {}, to read about this machine", path));
}

}  // namespace

HostFiles::HostFiles(const std::string& root)
    : root_(open_if_there(root + "/")),
      proc_(open_if_there(root + "/proc")),
      sys_(open_if_there(root + "/sys")),
      etc_(open_if_there(root + "/etc")) {}

std::string below_root(const std::string& path) {
    const std::size_t start = path.find_first_not_of('/');
    return start == std::string::npos ? "." : path.substr(start);
}

}  // namespace sandbox::os
