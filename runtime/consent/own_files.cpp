#include "runtime/consent/own_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/config/config.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::consent {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;

namespace {

constexpr off_t largest = off_t{1} << 20U;

sandbox::ConfigError not_own(const std::string& path, const std::string& why, const std::string& remedy) {
    return {path, {}, "it says what may be done, and " + why, remedy};
}

// Of what is open, so that nothing else can take its place.
struct stat own_status(const Fd& fd, const std::string& path) {
    struct stat status {};
    sys([&] { return ::fstat(fd.get(), &status); }, "look at {}", path);
    if (status.st_uid != ::geteuid()) {
        throw not_own(path, "it belongs to somebody else", "its owner must be the user who builds");
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        throw not_own(path, "others may write it", format("chmod go-w {}", sandbox::os::shell_word(path)));
    }
    return status;
}

}  // namespace

OwnDirectory::OwnDirectory(std::string path) : path_(std::move(path)) {
    open();
}

void OwnDirectory::open() {
    const long opened =
        sandbox::os::try_sys([&] { return ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOCTTY); });
    if (opened == -ENOENT) return;
    if (opened < 0) throw sandbox::os::SysError(static_cast<int>(-opened), format("open {}", path_));
    directory_ = Fd(static_cast<int>(opened));
    static_cast<void>(own_status(directory_, path_));
}

// O_NONBLOCK: opening a FIFO would wait for whoever writes it.
std::optional<std::string> OwnDirectory::read(const std::string& name) const {
    if (directory_.get() < 0) return std::nullopt;
    const std::string path = format("{}/{}", path_, name);
    constexpr int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    const long opened = sandbox::os::try_sys([&] { return ::openat(directory_.get(), name.c_str(), flags); });
    if (opened == -ENOENT) return std::nullopt;
    if (opened == -ELOOP) throw not_own(path, "it is a symbolic link", "put the file itself there");
    if (opened < 0) throw sandbox::os::SysError(static_cast<int>(-opened), format("open {}", path));
    const Fd file(static_cast<int>(opened));
    const struct stat status = own_status(file, path);
    if (!S_ISREG(status.st_mode)) throw not_own(path, "it is no file", "put a file there");
    if (status.st_size > largest) throw not_own(path, "it is larger than 1 MiB", "make it shorter");
    return sandbox::os::read_all(file.get(), path);
}

void OwnDirectory::write(const std::string& name, std::string_view content) {
    if (directory_.get() < 0) {
        sandbox::os::make_directories(path_, 0700);
        open();
    }
    sandbox::os::write_file_atomically(directory_.get(), name, content);
}

}  // namespace runtime::consent
