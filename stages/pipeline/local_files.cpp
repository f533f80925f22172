#include "stages/pipeline/local_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <system_error>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/raw/resolve.hpp"

namespace stages {
namespace {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;
using sandbox::os::SysError;

mode_t type_of(const Fd& fd) {
    struct stat status {};
    sys([&] { return ::fstat(fd.get(), &status); }, "stat a file beside the pipeline");
    return status.st_mode & S_IFMT;
}

// What execve(2) makes of the first line: "#!", spaces, the interpreter's path.
std::string first_line_fault(std::string_view head) {
    if (!head.starts_with("#!")) return "does not begin with \"#!\", so nothing says what should run it";
    const std::size_t end = head.find('\n');
    const std::string_view line = head.substr(2, end == head.npos ? head.npos : end - 2);
    if (line.ends_with('\r')) return "has lines that end as on Windows: the kernel takes the CR for a part of the name";
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == line.npos || line[begin] != '/') return "names no interpreter by its full path after \"#!\"";
    return {};
}

}  // namespace

LocalFiles::LocalFiles(const std::string& directory, std::string called)
    : directory_(
          sys([&] { return ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }, "open {}", directory)),
      called_(std::move(called)) {}

std::string LocalFiles::fault_of(long opened) const {
    const int error = static_cast<int>(-opened);
    if (error == ENOENT || error == ENOTDIR) return "does not exist";
    if (error == EXDEV) return format("leads out of {} through a symbolic link", called_);
    // No fault of the file's, or of who wrote its name.
    if (error == EMFILE || error == ENFILE || error == ENOMEM) throw SysError(error, "open a file beside the pipeline");
    return format("cannot be opened: {}", std::generic_category().message(error));
}

// Beneath holds for every link on the way, the last one included, and no matter what changes meanwhile.
long LocalFiles::open_beneath(const std::string& path, int flags) const {
    return sandbox::open_below(directory_.get(), path.c_str(), static_cast<std::uint64_t>(flags),
                               sandbox::Links::beneath);
}

std::string LocalFiles::input_fault(const std::string& path) const {
    const long opened = open_beneath(path, O_PATH);
    if (opened < 0) return fault_of(opened);
    const mode_t type = type_of(Fd(static_cast<int>(opened)));
    return type == S_IFREG || type == S_IFDIR ? std::string() : "is neither a regular file nor a directory";
}

std::string LocalFiles::script_fault(const std::string& path) const {
    // Opened by path first: opening a FIFO or a device for reading would do something to it.
    const long found = open_beneath(path, O_PATH);
    if (found < 0) return fault_of(found);
    const mode_t type = type_of(Fd(static_cast<int>(found)));
    if (type == S_IFDIR) return "is a directory";
    if (type != S_IFREG) return "is not a regular file";
    const long opened = open_beneath(path, O_RDONLY | O_NONBLOCK);
    if (opened < 0) return fault_of(opened);
    const Fd fd(static_cast<int>(opened));
    std::array<char, 256> head{};  // as much as execve(2) looks at
    const ssize_t size = sys([&] { return ::pread(fd.get(), head.data(), head.size(), 0); }, "read {}", path);
    return first_line_fault({head.data(), static_cast<std::size_t>(size)});
}

bool LocalFiles::exists(const std::string& path) const {
    const long opened = open_beneath(path, O_PATH);
    if (opened < 0) return false;
    const Fd fd(static_cast<int>(opened));
    return true;
}

Fd LocalFiles::open(const std::string& path, int flags) const {
    const long opened = open_beneath(path, flags);
    if (opened < 0)
        throw sandbox::os::SysError(static_cast<int>(-opened), "open " + path + " beside the pipeline file");
    return Fd(static_cast<int>(opened));
}

}  // namespace stages
