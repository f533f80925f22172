#include "sandbox/os/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "sandbox/os/sys.hpp"

namespace sandbox::os {

Fd open_directory(int parent, const std::string& path) {
    return Fd(sys([&] { return ::openat(parent, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); },
                  "open directory {}", path));
}

Fd open_to_read(int parent, const std::string& path) {
    return Fd(sys([&] { return ::openat(parent, path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC); }, "open {}", path));
}

Fd create_file(int parent, const std::string& path, mode_t mode) {
    constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    return Fd(sys([&] { return ::openat(parent, path.c_str(), flags, mode); }, "create {}", path));
}

std::string read_all(int fd, std::string_view what) {
    std::string content;
    char buffer[65536];
    for (;;) {
        const long got = sys([&] { return ::read(fd, buffer, sizeof buffer); }, "read {}", what);
        if (got == 0) return content;
        content.append(buffer, static_cast<std::size_t>(got));
    }
}

void write_all(int fd, std::string_view content, std::string_view what) {
    while (!content.empty()) {
        const long wrote = sys([&] { return ::write(fd, content.data(), content.size()); }, "write {}", what);
        content.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

std::optional<std::string> read_file_if_exists(int parent, const std::string& path, Links links) {
    const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | (links == Links::refused ? O_NOFOLLOW : 0);
    const long fd = try_sys([&] { return ::openat(parent, path.c_str(), flags); });
    if (fd == -ENOENT || (fd == -EBADF && parent == -1)) return std::nullopt;
    if (fd < 0) throw SysError(static_cast<int>(-fd), format("open {}", path));
    return read_all(Fd(static_cast<int>(fd)).get(), path);
}

// O_NONBLOCK, because opening a FIFO would wait for a writer.
std::optional<std::string> read_chosen_file(int parent, const std::string& path, std::size_t most) {
    const long opened =
        try_sys([&] { return ::openat(parent, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); });
    if (opened == -ENOENT) return std::nullopt;
    if (opened < 0) throw SysError(static_cast<int>(-opened), format("open {}", path));
    const Fd file(static_cast<int>(opened));
    struct stat status {};
    sys([&] { return ::fstat(file.get(), &status); }, "look at {}", path);
    if (!S_ISREG(status.st_mode)) throw UnfitFile("not a regular file");
    std::string text;
    char buffer[16384];
    for (;;) {
        const long got = sys([&] { return ::read(file.get(), buffer, sizeof buffer); }, "read {}", path);
        if (got == 0) return text;
        text.append(buffer, static_cast<std::size_t>(got));
        if (text.size() > most) throw UnfitFile(format("larger than {} MiB", most >> 20U));
    }
}

std::optional<std::string_view> read_small(int parent, const std::string& path, SmallBuffer& buffer) {
    const long opened = try_sys([&] { return ::openat(parent, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY); });
    if (opened < 0) return std::nullopt;
    const Fd file(static_cast<int>(opened));
    const long got = try_sys([&] { return ::read(file.get(), buffer.data(), buffer.size()); });
    if (got < 0) return std::nullopt;
    std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    if (text.ends_with('\n')) text.remove_suffix(1);
    return text;
}

std::optional<std::string> read_whole(int parent, const std::string& path) {
    const long opened = try_sys([&] { return ::openat(parent, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY); });
    if (opened < 0) return std::nullopt;
    const Fd file(static_cast<int>(opened));
    std::string text;
    char buffer[16384];
    for (;;) {
        const long got = try_sys([&] { return ::read(file.get(), buffer, sizeof buffer); });
        if (got < 0) return std::nullopt;
        if (got == 0) return text;
        text.append(buffer, static_cast<std::size_t>(got));
    }
}

std::string read_file(int parent, const std::string& path) {
    return read_all(open_to_read(parent, path).get(), path);
}

void write_file_atomically(int parent, const std::string& path, std::string_view content) {
    const std::string temporary = format("{}.{}.new", path, ::getpid());
    try {
        const Fd file = create_file(parent, temporary, 0644);
        write_all(file.get(), content, temporary);
        sys([&] { return ::fsync(file.get()); }, "sync {}", temporary);
        sys([&] { return ::renameat(parent, temporary.c_str(), parent, path.c_str()); }, "rename {} to {}", temporary,
            path);
    } catch (...) {
        ::unlinkat(parent, temporary.c_str(), 0);
        throw;
    }
    const std::size_t slash = path.rfind('/');
    const Fd directory = slash == std::string::npos
                             ? open_directory(parent, ".")
                             : open_directory(parent, path.substr(0, std::max<std::size_t>(slash, 1)));
    sys([&] { return ::fsync(directory.get()); }, "sync the directory of {}", path);
}

void make_directory(int parent, const std::string& path, mode_t mode) {
    const long made = try_sys([&] { return ::mkdirat(parent, path.c_str(), mode); });
    if (made < 0 && made != -EEXIST) throw SysError(static_cast<int>(-made), format("make directory {}", path));
}

void make_directories(const std::string& path, mode_t mode) {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        make_directory(AT_FDCWD, path.substr(0, end), mode);
        if (end == std::string::npos) return;
    }
}

std::string real_path(const std::string& path) {
    char* real = sys([&] { return ::realpath(path.c_str(), nullptr); }, "find {}", path);
    std::string text = real;
    ::free(real);
    return text;
}

bool exists(int parent, const std::string& path) {
    struct stat status {};
    const long found = try_sys([&] { return ::fstatat(parent, path.c_str(), &status, AT_SYMLINK_NOFOLLOW); });
    if (found < 0 && found != -ENOENT && found != -ENOTDIR) {
        throw SysError(static_cast<int>(-found), format("look at {}", path));
    }
    return found == 0;
}

std::vector<std::string> list_directory(int directory) {
    const int own =
        sys([&] { return ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }, "open a directory");
    struct Close {
        void operator()(DIR* open) const { ::closedir(open); }
    };
    const std::unique_ptr<DIR, Close> stream(sys([&] { return ::fdopendir(own); }, "read a directory"));
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(stream.get());
        if (entry == nullptr) {
            if (errno != 0) throw SysError(errno, "read a directory");
            break;
        }
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace sandbox::os
