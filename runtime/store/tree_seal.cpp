// seal_tree(): what a stage made becomes something that is never written again.
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>

#include "runtime/store/tree_digest.hpp"
#include "runtime/store/tree_owner.hpp"
#include "runtime/store/tree_walk.hpp"

namespace runtime::store {
namespace {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;
using sandbox::os::SysError;
using sandbox::os::try_sys;

constexpr std::string_view overlay_prefix = "user.overlay.";
constexpr std::string_view overlay_opaque = "user.overlay.opaque";

std::vector<std::string> attribute_names(int fd, const std::string& path) {
    std::string names(65536, '\0');  // XATTR_LIST_MAX
    const long size = try_sys([&] { return ::flistxattr(fd, names.data(), names.size()); });
    if (size == -ENOTSUP) return {};
    if (size < 0) throw SysError(static_cast<int>(-size), format("list the extended attributes of {}", path));
    std::vector<std::string> list;
    for (std::size_t start = 0; start < static_cast<std::size_t>(size);) {
        list.emplace_back(names.c_str() + start);
        start += list.back().size() + 1;
    }
    std::sort(list.begin(), list.end());
    return list;
}

std::string attribute_value(int fd, const std::string& name, const std::string& path) {
    std::string value(65536, '\0');  // XATTR_SIZE_MAX
    const long size = sys([&] { return ::fgetxattr(fd, name.c_str(), value.data(), value.size()); },
                          "read the attribute {} of {}", name, path);
    value.resize(static_cast<std::size_t>(size));
    return value;
}

// What a security module of this machine wrote is not the stage's result.
bool belongs_to_the_tree(std::string_view name) {
    return name == "security.capability" || name.starts_with("user.") || name.starts_with("system.posix_acl_");
}

// Whether a tree is brought into its final form, or was before.
enum class Sealing : std::uint8_t { now, before };

class Seal {
  public:
    Seal(const SealOptions& options, Sealing sealing) : options_(options), sealing_(sealing) {}

    void directory(const TreeEntry& bare, int fd) {
        const TreeEntry entry = with_owner(bare);
        digest_.entry(entry.path, attributes('d', entry.status, settle_directory_time(entry)));
        extended_attributes(fd, entry.shown());
    }

    void other(const TreeEntry& bare) {
        const TreeEntry entry = with_owner(bare);
        const std::int64_t time = settle_time(entry);
        if (S_ISREG(bare.status.st_mode) && !S_ISREG(entry.status.st_mode)) {
            recorded_device(entry, bare.status, time);
            return;
        }
        switch (entry.status.st_mode & S_IFMT) {
            case S_IFREG: regular(entry, time); break;
            case S_IFLNK:
                digest_.entry(entry.path, attributes('l', entry.status, time));
                digest_.field(link_target(entry));
                break;
            case S_IFIFO: digest_.entry(entry.path, attributes('p', entry.status, time)); break;
            case S_IFSOCK: digest_.entry(entry.path, attributes('s', entry.status, time)); break;
            default: device(entry, time); break;
        }
    }

    TreeFacts finish(bool is_directory) { return digest_.finish(is_directory); }

  private:
    [[nodiscard]] TreeEntry with_owner(const TreeEntry& entry) const {
        TreeEntry known = entry;
        if (options_.owners == Owners::recorded) {
            if (const auto owner = recorded_owner(entry)) sandbox::show_owner(*owner, known.status);
        }
        return known;
    }

    // A regular file that stands for a device. What a payload wrote into it through another name is still there.
    void recorded_device(const TreeEntry& entry, const struct stat& file_status, std::int64_t time) {
        // Never a whiteout, whatever its number.
        named_device(entry, time);
        const Fd file = sandbox::os::open_to_read(entry.parent, entry.name);
        extended_attributes(file.get(), entry.shown());
        digest_.content(file.get(), static_cast<std::uint64_t>(file_status.st_size), entry.shown());
    }

    static Attributes attributes(char type, const struct stat& status, std::int64_t time) {
        return {type, status.st_mode & 07777U, status.st_uid, status.st_gid, time};
    }

    static void set_time(const TreeEntry& entry, std::int64_t seconds) {
        const timespec times[2] = {{0, UTIME_OMIT}, {seconds, 0}};
        sys([&] { return ::utimensat(entry.parent, entry.name.c_str(), times, AT_SYMLINK_NOFOLLOW); },
            "set the time of {}", entry.shown());
    }

    [[nodiscard]] std::int64_t settle_directory_time(const TreeEntry& entry) const {
        if (!options_.epoch) return 0;
        if (sealing_ == Sealing::before) return entry.status.st_mtim.tv_sec;
        set_time(entry, *options_.epoch);
        return *options_.epoch;
    }

    // The time that counts, after it was brought down to the epoch where it is later.
    [[nodiscard]] std::int64_t settle_time(const TreeEntry& entry) const {
        if (!options_.epoch) return 0;
        const timespec& time = entry.status.st_mtim;
        if (sealing_ == Sealing::before) return time.tv_sec;
        const bool is_newer = time.tv_sec > *options_.epoch || (time.tv_sec == *options_.epoch && time.tv_nsec > 0);
        if (is_newer) set_time(entry, *options_.epoch);
        return is_newer ? *options_.epoch : time.tv_sec;
    }

    void regular(const TreeEntry& entry, std::int64_t time) {
        const std::string first = digest_.first_name(entry.status, entry.path);
        if (!first.empty()) {
            digest_.entry(entry.path, attributes('h', entry.status, time));
            digest_.field(first);
            return;
        }
        const Fd file = sandbox::os::open_to_read(entry.parent, entry.name);
        digest_.entry(entry.path, attributes('f', entry.status, time));
        extended_attributes(file.get(), entry.shown());
        digest_.content(file.get(), static_cast<std::uint64_t>(entry.status.st_size), entry.shown());
    }

    void device(const TreeEntry& entry, std::int64_t time) {
        const bool is_whiteout = S_ISCHR(entry.status.st_mode) && entry.status.st_rdev == 0;
        if (is_whiteout && options_.kind == TreeKind::layer) {
            // Overlayfs makes one such inode and links it wherever something was removed: its attributes mean nothing.
            digest_.entry(entry.path, {.type = 'w'});
            return;
        }
        named_device(entry, time);
    }

    void named_device(const TreeEntry& entry, std::int64_t time) {
        digest_.entry(entry.path, attributes(S_ISCHR(entry.status.st_mode) ? 'c' : 'b', entry.status, time));
        digest_.field(format("{}:{}", major(entry.status.st_rdev), minor(entry.status.st_rdev)));
    }

    void remove_attribute(int fd, const std::string& name, const std::string& path) const {
        if (sealing_ == Sealing::before) return;
        sys([&] { return ::fremovexattr(fd, name.c_str()); }, "remove the attribute {} of {}", name, path);
    }

    void extended_attributes(int fd, const std::string& path) {
        for (const std::string& name : attribute_names(fd, path)) {
            const bool is_overlay = name.starts_with(overlay_prefix);
            if (is_overlay && (options_.kind == TreeKind::artifact || name != overlay_opaque)) {
                remove_attribute(fd, name, path);
                continue;
            }
            if (name == sandbox::owner_attribute) {
                if (options_.owners == Owners::recorded) continue;
                remove_attribute(fd, name, path);
                continue;
            }
            if (!belongs_to_the_tree(name)) continue;
            digest_.field(name);
            digest_.field(attribute_value(fd, name, path));
        }
    }

    SealOptions options_;
    Sealing sealing_;
    TreeDigest digest_;
};

TreeFacts digest_tree(int parent, const std::string& name, const SealOptions& options, Sealing sealing) {
    const struct stat status = look_at(parent, name);
    const bool is_directory = S_ISDIR(status.st_mode);
    if (!is_directory && !S_ISREG(status.st_mode)) {
        throw TreeError(format("{} is neither a file nor a directory", name));
    }
    Seal seal(options, sealing);
    const std::string root = ".";
    walk_tree(TreeEntry{parent, name, root, status}, seal);
    return seal.finish(is_directory);
}

}  // namespace

TreeFacts seal_tree(int parent, const std::string& name, const SealOptions& options) {
    return digest_tree(parent, name, options, Sealing::now);
}

TreeFacts digest_sealed(int parent, const std::string& name, const SealOptions& options) {
    return digest_tree(parent, name, options, Sealing::before);
}

}  // namespace runtime::store
