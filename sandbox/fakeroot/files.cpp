#include "sandbox/fakeroot/files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <span>
#include <vector>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox::fakeroot {
namespace {

using os::Fd;
using os::format;
using os::try_sys;

// Since Linux 6.13; the header files are older.
constexpr long getxattrat_number = 464;
struct AttributeArguments {
    std::uint64_t value;
    std::uint32_t size;
    std::uint32_t flags;
};

long read_attribute_at(int directory, const char* path, int flags, const char* name) {
    char text[longest_owner];
    const AttributeArguments arguments = {reinterpret_cast<std::uint64_t>(text), sizeof text, 0};
    return try_sys(
        [&] { return ::syscall(getxattrat_number, directory, path, flags, name, &arguments, sizeof arguments); });
}

// Either attribute that an owner may stand in.
bool has_attribute_at(int directory, const char* path, int flags) {
    return read_attribute_at(directory, path, flags, owner_attribute) > 0 ||
           read_attribute_at(directory, path, flags, capability_attribute) > 0;
}

bool has_attribute(const char* path, const char* name) {
    char text[longest_owner];
    return try_sys([&] { return ::getxattr(path, name, text, sizeof text); }) > 0;
}

// An O_PATH handle has no attributes of its own calls; its name in /proc, which is the working directory, has.
struct HandleName {
    explicit HandleName(int fd) { *std::to_chars(text + 8, text + sizeof text - 1, fd).ptr = '\0'; }
    char text[24] = "self/fd/";
};

Fd open_path(int directory, const char* path, std::uint64_t flags) {
    open_how how = {};
    how.flags = flags | O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_NO_MAGICLINKS;
    const long fd = try_sys([&] { return ::syscall(SYS_openat2, directory, path, &how, sizeof how); });
    return Fd(fd < 0 ? -1 : static_cast<int>(fd));
}

// Something that a thread holds, by a magic link: its root, its working directory, one of its descriptors.
Fd open_held(const Notice& notice, const std::string& what) {
    const std::string path = format("{}/{}", notice.thread, what);
    return Fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
}

// The descriptor that a path through /proc means for whoever asks; programs that hold an O_PATH handle use them.
std::optional<int> named_descriptor(std::string_view path) {
    for (const std::string_view prefix : {"/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"}) {
        if (!path.starts_with(prefix)) continue;
        const std::string_view number = path.substr(prefix.size());
        int fd = -1;
        const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), fd);
        if (failed == std::errc{} && end == number.data() + number.size() && fd >= 0) return fd;
    }
    return std::nullopt;
}

bool has_user_attributes(mode_t mode) {
    return S_ISREG(mode) || S_ISDIR(mode);
}

template <class Value>
std::span<const std::byte> bytes_of(const Value& value) {
    return std::as_bytes(std::span(&value, 1));
}

mode_t umask_of(const Notice& notice) {
    const Fd file(::open(format("{}/status", notice.thread).c_str(), O_RDONLY | O_CLOEXEC));
    char text[512];
    const long got = file ? try_sys([&] { return ::read(file.get(), text, sizeof text); }) : 0;
    const std::string_view status(text, static_cast<std::size_t>(std::max(got, 0L)));
    const std::size_t at = status.find("\nUmask:\t");
    mode_t mask = 022;
    if (at != std::string_view::npos) std::from_chars(status.data() + at + 8, status.data() + status.size(), mask, 8);
    return mask;
}

// A caller's umask for the time of one call; with it the kernel also minds default ACLs as it should.
class Umask {
  public:
    explicit Umask(mode_t mask) : before_(::umask(mask)) {}
    ~Umask() { ::umask(before_); }
    Umask(const Umask&) = delete;
    Umask& operator=(const Umask&) = delete;

  private:
    mode_t before_;
};

std::uint32_t id_for_kernel(std::uint32_t id) {
    return id == unchanged_id ? unchanged_id : 0;
}

}  // namespace

Reply go_on() {
    return {};
}
Reply value(std::int64_t value) {
    return {Reply::Kind::value, value};
}
Reply error(int error) {
    return {Reply::Kind::error, error};
}

FileView::FileView(const Listener& listener) : listener_(listener) {
    const long answer = read_attribute_at(AT_FDCWD, ".", 0, owner_attribute);
    has_getxattrat_ = answer != -ENOSYS && answer != -EPERM;
}

// ---- from names to files
// ---------------------------------------------------------------------------------------------

bool FileView::enter_root(const Notice& notice) {
    return ::chroot(format("{}/root", notice.thread).c_str()) == 0;
}

std::optional<std::string> FileView::path_of(const Notice& notice, const FileName& file) const {
    if (file.path == 0) return std::string();
    return listener_.read_path(notice, file.path);
}

// Where a path starts. An absolute one needs no start.
Fd FileView::base_of(const Notice& notice, const FileName& file, const std::string& path) {
    if (path.starts_with('/')) return Fd(::open(".", O_PATH | O_CLOEXEC));
    if (file.directory == AT_FDCWD) return open_held(notice, "cwd");
    return open_held(notice, format("fd/{}", file.directory));
}

Fd FileView::find(const Notice& notice, const FileName& file, LastLink last_link) const {
    const auto path = path_of(notice, file);
    return path ? find(notice, file, *path, last_link) : Fd();
}

Fd FileView::find(const Notice& notice, const FileName& file, const std::string& path, LastLink last_link) {
    if (!enter_root(notice)) return {};
    if (last_link == LastLink::follow) {
        if (const auto fd = named_descriptor(path)) return open_held(notice, format("fd/{}", *fd));
    }
    Fd base = base_of(notice, file, path);
    if (!base || path.empty()) return base;
    return open_path(base.get(), path.c_str(), last_link == LastLink::keep ? O_NOFOLLOW : 0);
}

// The directory and the last component of a path where something may be made; nothing where something is already.
std::optional<FileView::Place> FileView::find_place(const Notice& notice, const FileName& file, mode_t type) const {
    auto path = path_of(notice, file);
    if (!path || !enter_root(notice)) return std::nullopt;
    // Only of a directory may the name end with a slash; for the rest the kernel has an error.
    while (type == S_IFDIR && path->size() > 1 && path->ends_with('/')) path->pop_back();
    const std::size_t slash = path->rfind('/');
    Place place;
    place.name = slash == std::string::npos ? *path : path->substr(slash + 1);
    if (place.name.empty() || place.name == "." || place.name == "..") return std::nullopt;
    const Fd base = base_of(notice, file, *path);
    if (!base) return std::nullopt;
    const std::string parent = slash == std::string::npos ? "." : path->substr(0, slash + 1);
    place.directory = open_path(base.get(), parent.c_str(), O_DIRECTORY);
    if (!place.directory) return std::nullopt;
    struct stat status = {};
    if (::fstatat(place.directory.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return std::nullopt;
    if (::fstat(place.directory.get(), &status) != 0) return std::nullopt;
    place.directory_mode = status.st_mode;
    place.directory_owner = owner_of(place.directory.get(), status);
    return place;
}

// ---- owners
// ----------------------------------------------------------------------------------------------------------

namespace {

// Of a thing that has no attributes. Inode numbers are used again; the time of birth tells one use from the next.
auto key_of(int file) {
    struct statx status = {};
    static_cast<void>(::statx(file, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status));
    return std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::uint32_t>(
        makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino, status.stx_btime.tv_sec,
        status.stx_btime.tv_nsec);
}

}  // namespace

std::optional<Owner> FileView::recorded(int file, mode_t mode) const {
    char text[longest_owner];
    const HandleName name(file);
    const char* const attribute = has_user_attributes(mode) ? owner_attribute : capability_attribute;
    const long size = try_sys([&] { return ::getxattr(name.text, attribute, text, sizeof text); });
    if (size > 0) {
        const std::string_view bytes(text, static_cast<std::size_t>(size));
        return has_user_attributes(mode) ? owner_from(bytes) : owner_from_capability(std::as_bytes(std::span(bytes)));
    }
    if (others_.empty()) return std::nullopt;
    const auto found = others_.find(key_of(file));
    return found == others_.end() ? std::nullopt : std::optional(found->second);
}

Owner FileView::owner_of(int file, const struct stat& status) const {
    return recorded(file, status.st_mode).value_or(Owner{.uid = status.st_uid, .gid = status.st_gid});
}

// 0 or the errno.
int FileView::record(int file, const Owner& owner) {
    const HandleName name(file);
    struct stat status = {};
    if (::fstat(file, &status) != 0) return errno;
    const bool has_text = has_user_attributes(status.st_mode);
    const char* const attribute = has_text ? owner_attribute : capability_attribute;
    if (!others_.empty()) others_.erase(key_of(file));
    if (owner == Owner{}) {
        // A capability was taken away by chown(2) already; and one that is ours may be there from before.
        const long removed = try_sys([&] { return ::removexattr(name.text, attribute); });
        const bool is_there = removed < 0 && removed != -ENODATA && removed != -EOPNOTSUPP && removed != -EPERM;
        return is_there ? static_cast<int>(-removed) : 0;
    }
    const std::string text = to_text(owner);
    const CapabilityBytes words = to_capability(owner);
    const void* const bytes = has_text ? static_cast<const void*>(text.data()) : words.data();
    const std::size_t size = has_text ? text.size() : sizeof words;
    const long set = try_sys([&] { return ::setxattr(name.text, attribute, bytes, size, 0); });
    if (set == 0) return 0;
    if (set != -EOPNOTSUPP && set != -EPERM) return static_cast<int>(-set);
    constexpr std::size_t most = 1U << 20U;
    if (others_.size() >= most) return ENOSPC;
    others_[key_of(file)] = owner;
    return 0;
}

// ---- stat
// ------------------------------------------------------------------------------------------------------------

// One call that says no for nearly every file. It may follow a magic link, and then says something of a file that is
// then not found again below: nothing is learnt from it.
bool FileView::may_be_recorded(const Notice& notice, const Stat& call, const std::string& path) const {
    if (path.empty() && call.file.directory != AT_FDCWD) {
        const std::string name = format("{}/fd/{}", notice.thread, call.file.directory);
        return has_attribute(name.c_str(), owner_attribute) || has_attribute(name.c_str(), capability_attribute);
    }
    if (!has_getxattrat_) return true;
    if (!enter_root(notice)) return false;
    Fd base;
    if (!path.starts_with('/')) base = base_of(notice, call.file, path);
    const int flags = (call.last_link == LastLink::keep ? AT_SYMLINK_NOFOLLOW : 0) | AT_EMPTY_PATH;
    return has_attribute_at(base ? base.get() : AT_FDCWD, path.c_str(), flags);
}

template <class Status>
Reply FileView::answer_stat(const Notice& notice, const Stat& call, const Owner& owner, Status& status) const {
    show_owner(owner, status);
    const auto bytes = std::as_bytes(std::span(&status, 1));
    return listener_.write_memory(notice, call.answer, bytes) ? value(0) : error(EFAULT);
}

Reply FileView::stat(const Notice& notice, const Stat& call) {
    const bool may_be_empty = (call.flags & AT_EMPTY_PATH) != 0 || call.file.path == 0;
    const auto path = path_of(notice, call.file);
    if (!path || (path->empty() && !may_be_empty)) return go_on();
    if (others_.empty() && !may_be_recorded(notice, call, *path) && !named_descriptor(*path)) return go_on();
    const Fd file = find(notice, call.file, *path, call.last_link);
    struct stat status = {};
    if (!file || ::fstat(file.get(), &status) != 0) return go_on();
    const auto owner = recorded(file.get(), status.st_mode);
    if (!owner) return go_on();
    if (call.kind == StatKind::stat) return answer_stat(notice, call, *owner, status);
    struct statx more = {};
    const int flags = AT_EMPTY_PATH | (call.flags & AT_STATX_SYNC_TYPE);
    const long got = try_sys([&] { return ::statx(file.get(), "", flags, call.mask, &more); });
    return got < 0 ? error(static_cast<int>(-got)) : answer_stat(notice, call, *owner, more);
}

// ---- chown
// -----------------------------------------------------------------------------------------------------------

Reply FileView::chown(const Notice& notice, const Chown& call, const Identity& who) {
    const Fd file = find(notice, call.file, call.last_link);
    struct stat status = {};
    if (!file || ::fstat(file.get(), &status) != 0 || !listener_.still_valid(notice)) return go_on();
    Owner owner = owner_of(file.get(), status);
    if (const int refused = may_change_owner(who, owner, call.uid, call.gid)) return error(refused);
    // The kernel's part, with the one id there is: whether the file may be changed at all, its set-id bits, its time.
    const long changed = try_sys(
        [&] { return ::fchownat(file.get(), "", id_for_kernel(call.uid), id_for_kernel(call.gid), AT_EMPTY_PATH); });
    if (changed < 0) return error(static_cast<int>(-changed));
    if (call.uid != unchanged_id) owner.uid = call.uid;
    if (call.gid != unchanged_id) owner.gid = call.gid;
    const int failed = record(file.get(), owner);
    return failed == 0 ? value(0) : error(failed);
}

// ---- what is made by, or inherits from, somebody else than root
// ------------------------------------------------------

// Gives what has just been made its owner.
Reply FileView::made(const Place& place, const Owner& owner) {
    const Fd file = open_path(place.directory.get(), place.name.c_str(), O_NOFOLLOW);
    if (file) static_cast<void>(record(file.get(), owner));
    return value(0);
}

Reply FileView::open(const Notice& notice, const Open& call, const Identity& who) {
    constexpr std::uint64_t unnamed = O_TMPFILE & ~O_DIRECTORY;
    constexpr std::uint64_t passed_on = O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DIRECT | O_NOATIME | O_LARGEFILE;
    if ((call.flags & O_PATH) != 0) return go_on();
    Fd file;
    Owner owner;
    const auto flags = static_cast<int>(call.flags & passed_on) | O_CLOEXEC;
    if ((call.flags & unnamed) != 0) {
        owner = owner_of_new_file(who, 0, {});
        if (owner == Owner{}) return go_on();
        const Fd directory = find(notice, call.file, LastLink::follow);
        const Umask mask(umask_of(notice));
        if (!directory || !listener_.still_valid(notice)) return go_on();
        file = Fd(::openat(directory.get(), ".", flags | O_TMPFILE | static_cast<int>(call.flags & O_EXCL), call.mode));
    } else {
        const auto place = find_place(notice, call.file, S_IFREG);
        if (!place) return go_on();
        owner = owner_of_new_file(who, place->directory_mode, place->directory_owner);
        if (owner == Owner{}) return go_on();
        const Umask mask(umask_of(notice));
        if (!listener_.still_valid(notice)) return go_on();
        file = Fd(::openat(place->directory.get(), place->name.c_str(), flags | O_CREAT | O_EXCL | O_NOFOLLOW,
                           call.mode & 07777U));
    }
    if (!file) return go_on();
    static_cast<void>(record(file.get(), owner));
    listener_.answer_descriptor(notice, file.get(), static_cast<int>(call.flags & O_CLOEXEC));
    return {Reply::Kind::sent};
}

Reply FileView::open(const Notice& notice, const OpenHow& call, const Identity& who) {
    open_how how = {};
    if (call.size < sizeof how) return go_on();
    if (!listener_.read_memory(notice, call.how, std::as_writable_bytes(std::span(&how, 1)))) return go_on();
    constexpr std::uint64_t makes = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);
    if ((how.flags & makes) == 0 || how.resolve != 0) return go_on();
    return open(notice, Open{call.file, how.flags, static_cast<std::uint32_t>(how.mode)}, who);
}

Reply FileView::make(const Notice& notice, const Make& call, const Identity& who) {
    const mode_t type = call.mode & S_IFMT;
    const bool is_device = type == S_IFCHR || type == S_IFBLK;
    if (is_device && !who.is_privileged()) return error(EPERM);
    const auto place = find_place(notice, call.file, type);
    if (!place) return go_on();
    Owner owner = owner_of_new_file(who, place->directory_mode, place->directory_owner);
    if (is_device) {
        // mknod(2) takes a number of 32 bits.
        owner.type = type;
        owner.major = major(call.device & UINT32_MAX);
        owner.minor = minor(call.device & UINT32_MAX);
    }
    if (owner == Owner{}) return go_on();
    const Umask mask(umask_of(notice));
    if (!listener_.still_valid(notice)) return go_on();
    const mode_t mode = call.mode & 07777U;
    const long result = try_sys([&] {
        const char* const name = place->name.c_str();
        if (type == S_IFDIR) return ::mkdirat(place->directory.get(), name, mode);
        return ::mknodat(place->directory.get(), name, (is_device ? S_IFREG : type) | mode, 0);
    });
    return result < 0 ? error(static_cast<int>(-result)) : made(*place, owner);
}

Reply FileView::link(const Notice& notice, const Link& call, const Identity& who) {
    const auto place = find_place(notice, call.file, S_IFLNK);
    if (!place) return go_on();
    const Owner owner = owner_of_new_file(who, place->directory_mode, place->directory_owner);
    if (owner == Owner{}) return go_on();
    const auto target = listener_.read_path(notice, call.points_to);
    if (!target || !listener_.still_valid(notice)) return go_on();
    const long result =
        try_sys([&] { return ::symlinkat(target->c_str(), place->directory.get(), place->name.c_str()); });
    return result < 0 ? error(static_cast<int>(-result)) : made(*place, owner);
}

// ---- the view's own attribute is nobody's business
// -------------------------------------------------------------------

Reply FileView::list(const Notice& notice, const ListAttributes& call) {
    const Fd file = find(notice, call.file, call.last_link);
    if (!file) return go_on();
    const HandleName handle(file.get());
    std::vector<char> names(65536);  // XATTR_LIST_MAX
    const long size = try_sys([&] { return ::listxattr(handle.text, names.data(), names.size()); });
    if (size <= 0) return go_on();
    std::string shown;
    for (const char* name = names.data(); name < names.data() + size;
         name += std::char_traits<char>::length(name) + 1) {
        if (std::string_view(name) != owner_attribute) shown.append(name, std::char_traits<char>::length(name) + 1);
    }
    if (shown.size() == static_cast<std::size_t>(size)) return go_on();
    if (call.size == 0) return value(static_cast<std::int64_t>(shown.size()));
    if (call.size < shown.size()) return error(ERANGE);
    const auto bytes = std::as_bytes(std::span(shown));
    return listener_.write_memory(notice, call.answer, bytes) ? value(static_cast<std::int64_t>(shown.size()))
                                                              : error(EFAULT);
}

}  // namespace sandbox::fakeroot
