// import_tree() and export_tree(): between a user's directories and the store.
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/store/tree_digest.hpp"
#include "runtime/store/tree_owner.hpp"
#include "runtime/store/tree_walk.hpp"

namespace runtime::store {
namespace {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;
using sandbox::os::try_sys;

constexpr time_t import_time = 315532800;  // 1980-01-01T00:00:00Z
constexpr int create_flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

std::uint32_t plain_mode(const struct stat& status) {
    const bool is_executable = S_ISDIR(status.st_mode) || (status.st_mode & S_IXUSR) != 0;
    return is_executable ? 0755 : 0644;
}

// Copies what is between two offsets. copy_file_range(2) shares the blocks where the file system can; sendfile(2) works
// everywhere else.
void copy_range(int from, int to, off_t begin, off_t end, const std::string& path) {
    off_t source = begin;
    off_t target = begin;
    while (source < end) {
        const auto left = static_cast<std::size_t>(end - source);
        const long copied = try_sys([&] { return ::copy_file_range(from, &source, to, &target, left, 0); });
        if (copied == 0) return;
        if (copied < 0) break;
    }
    sys([&] { return ::lseek(to, source, SEEK_SET); }, "copy {}", path);
    while (source < end) {
        const auto left = std::min(static_cast<std::size_t>(end - source), std::size_t{1} << 30U);
        if (sys([&] { return ::sendfile(to, from, &source, left); }, "copy {}", path) == 0) return;
    }
}

// A hole stays one, where the file system knows of holes.
void copy_content(int from, int to, off_t size, const std::string& path) {
    for (off_t at = 0; at < size;) {
        const long data = try_sys([&] { return ::lseek(from, at, SEEK_DATA); });
        if (data == -ENXIO) break;  // nothing but a hole
        const long hole = data < 0 ? data : try_sys([&] { return ::lseek(from, data, SEEK_HOLE); });
        const off_t begin = hole < 0 ? at : data;
        const off_t end = hole < 0 ? size : std::min<off_t>(hole, size);
        copy_range(from, to, begin, end, path);
        at = end;
    }
    sys([&] { return ::ftruncate(to, size); }, "set the size of {}", path);
}

// Where in the destination the walk is: the directory made for each level.
class Destination {
  public:
    Destination(int parent, std::string name) : parent_(parent), name_(std::move(name)) {}
    // The directory and the name that stand for `path`.
    [[nodiscard]] std::pair<int, std::string> place_of(const std::string& path) {
        if (path == ".") return {parent_, name_};
        const std::size_t slash = path.rfind('/');
        const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
        const std::string leaf = slash == std::string::npos ? path : path.substr(slash + 1);
        while (open_.back().first != directory) open_.pop_back();
        return {open_.back().second.get(), leaf};
    }
    void enter(const std::string& path, Fd directory) { open_.emplace_back(path, std::move(directory)); }

  private:
    int parent_;
    std::string name_;
    std::vector<std::pair<std::string, Fd>> open_;
};

void refuse_special(const TreeEntry& entry) {
    if (S_ISREG(entry.status.st_mode) || S_ISLNK(entry.status.st_mode)) return;
    throw TreeError(format("{} is a device, a socket or a FIFO", entry.shown()));
}

void refuse_recorded_device(const TreeEntry& entry) {
    const auto owner = S_ISREG(entry.status.st_mode) ? recorded_owner(entry) : std::nullopt;
    if (!owner || owner->type == 0) return;
    throw TreeError(format("{} is a device", entry.shown()));
}

// Digests in the import's normal form; copies at the same time where there is a destination.
class Import {
  public:
    explicit Import(Destination* destination) : destination_(destination) {}

    void directory(const TreeEntry& entry, int) {
        digest_.entry(entry.path, {'d', 0755, 0, 0, import_time});
        if (destination_ == nullptr) return;
        const auto [parent, name] = destination_->place_of(entry.path);
        sandbox::os::make_directory(parent, name, 0755);
        destination_->enter(entry.path, sandbox::os::open_directory(parent, name));
    }

    // Making what is in a directory changes its time, so it is set afterwards.
    void leave(const TreeEntry& entry) {
        if (destination_ == nullptr) return;
        const auto [parent, name] = destination_->place_of(entry.path);
        give_to_jail(parent, name);
    }

    void other(const TreeEntry& entry) {
        refuse_special(entry);
        if (S_ISLNK(entry.status.st_mode)) {
            link(entry);
        } else {
            regular(entry);
        }
    }

    TreeFacts finish(bool is_directory) { return digest_.finish(is_directory); }

  private:
    static void give_to_jail(int parent, const std::string& name) {
        sys([&] { return ::fchownat(parent, name.c_str(), 0, 0, AT_SYMLINK_NOFOLLOW); }, "give {} to the jail", name);
        const timespec times[2] = {{import_time, 0}, {import_time, 0}};
        sys([&] { return ::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW); }, "set the time of {}", name);
    }

    void link(const TreeEntry& entry) {
        const std::string target = link_target(entry);
        digest_.entry(entry.path, {'l', 0777, 0, 0, import_time});
        digest_.field(target);
        if (destination_ == nullptr) return;
        const auto [parent, name] = destination_->place_of(entry.path);
        sys([&, to = parent, &leaf = name] { return ::symlinkat(target.c_str(), to, leaf.c_str()); }, "link {}",
            entry.shown());
        give_to_jail(parent, name);
    }

    void regular(const TreeEntry& entry) {
        const Fd file = sandbox::os::open_to_read(entry.parent, entry.name);
        const std::uint32_t mode = plain_mode(entry.status);
        digest_.entry(entry.path, {'f', mode, 0, 0, import_time});
        const auto size = static_cast<std::uint64_t>(entry.status.st_size);
        if (destination_ == nullptr) {
            digest_.content(file.get(), size, entry.shown());
            return;
        }
        const auto [parent, name] = destination_->place_of(entry.path);
        constexpr int flags = (create_flags & ~O_WRONLY) | O_RDWR;
        const Fd copy(sys([&, to = parent, &leaf = name] { return ::openat(to, leaf.c_str(), flags, mode); },
                          "create {}", entry.shown()));
        copy_content(file.get(), copy.get(), entry.status.st_size, entry.shown());
        // Of the copy: somebody may be writing to the file.
        digest_.content(copy.get(), size, entry.shown());
        sys([&] { return ::fchmod(copy.get(), mode); }, "set the mode of {}", entry.shown());
        give_to_jail(parent, name);
    }

    Destination* destination_;
    TreeDigest digest_;
};

class Export {
  public:
    explicit Export(Destination& destination) : destination_(destination) {}

    void directory(const TreeEntry& entry, int) {
        const auto [parent, name] = destination_.place_of(entry.path);
        sys([&, to = parent, &leaf = name] { return ::mkdirat(to, leaf.c_str(), 0755); }, "make directory {}", name);
        destination_.enter(entry.path, sandbox::os::open_directory(parent, name));
    }

    void other(const TreeEntry& entry) {
        refuse_special(entry);
        refuse_recorded_device(entry);
        const auto [parent, name] = destination_.place_of(entry.path);
        if (S_ISLNK(entry.status.st_mode)) {
            const std::string target = link_target(entry);
            sys([&, to = parent, &leaf = name] { return ::symlinkat(target.c_str(), to, leaf.c_str()); }, "link {}",
                name);
            return;
        }
        const Fd file = sandbox::os::open_to_read(entry.parent, entry.name);
        const mode_t mode = plain_mode(entry.status);
        const Fd copy(sys([&, to = parent, &leaf = name] { return ::openat(to, leaf.c_str(), create_flags, mode); },
                          "create {}", name));
        copy_content(file.get(), copy.get(), entry.status.st_size, entry.shown());
        const timespec times[2] = {entry.status.st_mtim, entry.status.st_mtim};
        sys([&] { return ::futimens(copy.get(), times); }, "set the time of {}", name);
    }

  private:
    Destination& destination_;
};

// A path of several components, opened without following a link anywhere: "" for the directory itself.
std::pair<Fd, std::string> parent_of(int from, const std::string& path) {
    Fd directory = sandbox::os::open_directory(from, ".");
    std::size_t start = 0;
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', start)) {
        directory = sandbox::os::open_directory(directory.get(), path.substr(start, slash - start));
        start = slash + 1;
    }
    return {std::move(directory), path.substr(start)};
}

template <class Visitor>
bool visit(int from, const std::string& path, Visitor& visitor) {
    const auto [directory, name] = parent_of(from, path);
    const std::string root = ".";
    const struct stat status = look_at(directory.get(), name);
    walk_tree(TreeEntry{directory.get(), name, root, status}, visitor);
    return S_ISDIR(status.st_mode);
}

}  // namespace

TreeFacts import_tree(int from, const std::string& path, int to, const std::string& name) {
    Destination destination(to, name);
    Import import(&destination);
    const bool is_directory = visit(from, path, import);
    return import.finish(is_directory);
}

TreeFacts digest_import(int from, const std::string& path) {
    Import import(nullptr);
    const bool is_directory = visit(from, path, import);
    return import.finish(is_directory);
}

void export_tree(int from, const std::string& path, int to, const std::string& name) {
    Destination destination(to, name);
    Export copy(destination);
    visit(from, path, copy);
}

}  // namespace runtime::store
