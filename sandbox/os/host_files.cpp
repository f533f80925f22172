#include "sandbox/os/host_files.hpp"

#include <fcntl.h>

#include <algorithm>

#include "sandbox/os/sys.hpp"

namespace sandbox::os {
namespace {

Fd open_if_there(const std::string& path) {
    const long opened = try_sys([&] { return ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); });
    return Fd(static_cast<int>(std::max(opened, -1L)));
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
