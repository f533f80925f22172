#include "runtime/host/check/free_space.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/host/state/difference.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::human_bytes;

// Less than this, and not even a record can be written.
constexpr double too_little = 1 << 20;
constexpr double little = 512 << 20;
constexpr unsigned long few_inodes = 10000;

std::string nearest_that_exists(std::string path) {
    while (path.size() > 1 && ::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
        const std::size_t slash = path.find_last_of('/');
        path = slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
    }
    return path;
}

}  // namespace

Findings check_room(const std::string& directory, double expected) {
    const std::string place = nearest_that_exists(directory);
    const std::string name = plain(place);
    if (::access(place.c_str(), W_OK | X_OK) != 0) {
        const int error = errno;
        return {{Severity::harm, "permission", format("{} cannot be written: {}", name, std::strerror(error)),
                 error == EROFS ? format("mount -o remount,rw for its file system, or another place")
                                : format("ls -ld {}", name)}};
    }
    struct statvfs about = {};
    if (::statvfs(place.c_str(), &about) != 0) return {};
    return judge_room(name, about, expected);
}

Findings judge_room(const std::string& name, const struct statvfs& about, double expected) {
    if (about.f_blocks == 0) return {};  // one that does not count, as ramfs
    const double free = static_cast<double>(about.f_bavail) * static_cast<double>(about.f_frsize);
    const std::string space = format("{} has {} free", name, human_bytes(free));
    const std::string full = std::strerror(ENOSPC);
    if (free < too_little) return {{Severity::harm, "space", format("{}: {}", space, full), "stagebox store gc"}};
    // File systems that make inodes as they are needed say that there are none.
    if (about.f_files != 0 && about.f_favail == 0) {
        return {{Severity::harm, "space", format("{} has no inodes left: {}", name, full), "stagebox store gc"}};
    }
    if (about.f_files != 0 && about.f_favail < few_inodes) {
        return {{Severity::warning, "space", format("{} has only {} inodes left", name, about.f_favail),
                 "stagebox store gc"}};
    }
    if (expected > free) {
        return {{Severity::warning, "space",
                 format("{}; what this pipeline made last time takes {}", space, human_bytes(expected)),
                 "stagebox store gc"}};
    }
    return {
        {free < little ? Severity::warning : Severity::info, "space", space, free < little ? "stagebox store gc" : ""}};
}

Findings check_readable(const std::string& path, const std::string& what) {
    if (::access(path.c_str(), R_OK) == 0) return {};
    return {{Severity::harm, "permission", format("{}: {}: {}", what, plain(path), std::strerror(errno)),
             format("ls -ld {}", plain(path))}};
}

}  // namespace runtime::host
