#include "sandbox/raw/resolve.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "sandbox/raw/syscall.hpp"

namespace sandbox {
namespace {

constexpr size_t longest_path = 4096;
constexpr size_t deepest = 256;
constexpr int most_links = 40;

class Walk {
  public:
    Walk(long root, uint64_t flags, Links links) noexcept : root_(root), flags_(flags), links_(links) {}
    ~Walk() { back_to_root(); }
    Walk(const Walk&) = delete;
    Walk& operator=(const Walk&) = delete;

    long run(const char* path) noexcept;

  private:
    enum class Next : uint8_t { name, end, too_long };

    Next next_name() noexcept;
    [[nodiscard]] bool is_last() const noexcept { return left_[at_] == '\0'; }
    long enter() noexcept;
    long arrive(long handle, mode_t type) noexcept;
    long follow(long link) noexcept;
    long finish() noexcept;
    [[nodiscard]] long here() const noexcept { return depth_ == 0 ? root_ : handles_[depth_ - 1]; }
    void back() noexcept { call(SYS_close, handles_[--depth_]); }
    void back_to_root() noexcept {
        while (depth_ > 0) back();
    }

    long root_;
    uint64_t flags_;
    Links links_;
    long handles_[deepest];  // the way from the root to here
    size_t depth_ = 0;
    char left_[longest_path];  // the path; what is before at_ has been walked
    size_t at_ = 0;
    char name_[longest_path];
    int followed_ = 0;
};

// The index of the NUL that ends `text`, or `limit`.
size_t length_of(const char* text, size_t limit) noexcept {
    size_t length = 0;
    while (length < limit && text[length] != '\0') ++length;
    return length;
}

void copy(char* to, const char* from, size_t count) noexcept {
    for (size_t i = 0; i < count; ++i)
        to[i] = from[i];  // NOLINT(clang-analyzer-core.uninitialized.Assign): the kernel wrote it
}

long Walk::run(const char* path) noexcept {
    const size_t length = length_of(path, longest_path);
    if (length == longest_path) return -ENAMETOOLONG;
    if (length == 0) return -ENOENT;
    if (path[0] == '/' && links_ != Links::in_root) return -EXDEV;
    copy(left_, path, length);
    left_[length] = '\0';
    for (;;) {
        switch (next_name()) {
            case Next::end: return finish();
            case Next::too_long: return -ENAMETOOLONG;
            case Next::name: break;
        }
        const long entered = enter();
        if (entered < 0) return entered;
    }
}

Walk::Next Walk::next_name() noexcept {
    while (left_[at_] == '/') ++at_;
    size_t length = 0;
    while (left_[at_] != '\0' && left_[at_] != '/') name_[length++] = left_[at_++];
    name_[length] = '\0';
    if (length > 255) return Next::too_long;  // no file system has such a name (NAME_MAX)
    return length == 0 ? Next::end : Next::name;
}

long Walk::enter() noexcept {
    if (name_[0] == '.' && name_[1] == '\0') return 0;
    if (name_[0] == '.' && name_[1] == '.' && name_[2] == '\0') {
        if (depth_ == 0) return links_ == Links::in_root ? 0 : -EXDEV;
        back();
        return 0;
    }
    const long handle = call(SYS_openat, here(), name_, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (handle < 0) return handle;
    struct stat status = {};
    const long known = call(SYS_newfstatat, handle, "", &status, AT_EMPTY_PATH);
    const mode_t type = status.st_mode & S_IFMT;
    constexpr uint64_t link_itself = O_PATH | O_NOFOLLOW;
    const bool is_answer = is_last() && (flags_ & link_itself) == link_itself;
    if (known == 0 && (type != S_IFLNK || is_answer)) return arrive(handle, type);
    const long answer = known < 0 ? known : follow(handle);
    call(SYS_close, handle);
    return answer;
}

// Keeps `handle`, which is a directory on the way, or the end.
long Walk::arrive(long handle, mode_t type) noexcept {
    long kept = handle;
    if (type != S_IFDIR && !is_last()) {
        kept = -ENOTDIR;
    } else if (depth_ == deepest) {
        kept = -ENAMETOOLONG;
    } else if (type != S_IFDIR && (flags_ & O_PATH) == 0) {
        // Opened anew for what the caller wants to do with it; a link that has taken its place is an error.
        kept = call(SYS_openat, here(), name_, flags_ | O_NOFOLLOW | O_CLOEXEC);
    }
    if (kept != handle) call(SYS_close, handle);
    if (kept < 0) return kept;
    handles_[depth_++] = kept;
    return 0;
}

// The link was opened, and is read through that handle: what stands there now under its name does not matter.
long Walk::follow(long link) noexcept {
    if (links_ == Links::refused || (is_last() && (flags_ & O_NOFOLLOW) != 0)) return -ELOOP;
    if (++followed_ > most_links) return -ELOOP;
    struct statfs system = {};
    const long known = call(SYS_fstatfs, link, &system);
    if (known < 0) return known;
    if (system.f_type == PROC_SUPER_MAGIC) return -ELOOP;
    char text[longest_path];
    const long length = call(SYS_readlinkat, link, "", text, sizeof text);
    if (length < 0) return length;
    if (length == 0) return -ENOENT;
    const auto count = static_cast<size_t>(length);
    const size_t rest = length_of(left_ + at_, longest_path - at_);  // begins with a slash, or is empty
    if (count + rest >= longest_path) return -ENAMETOOLONG;
    copy(text + count, left_ + at_, rest);
    copy(left_, text, count + rest);
    left_[count + rest] = '\0';
    at_ = 0;
    if (left_[0] != '/') return 0;
    back_to_root();
    return links_ == Links::in_root ? 0 : -EXDEV;
}

long Walk::finish() noexcept {
    if (depth_ == 0) return call(SYS_openat, root_, ".", flags_ | O_DIRECTORY | O_CLOEXEC);
    const long handle = handles_[--depth_];
    struct stat status = {};
    long answer = call(SYS_newfstatat, handle, "", &status, AT_EMPTY_PATH);
    if (answer == 0 && S_ISDIR(status.st_mode)) {
        if ((flags_ & O_PATH) != 0) return handle;
        answer = call(SYS_openat, handle, ".", flags_ | O_CLOEXEC);
    } else if (answer == 0) {
        if ((flags_ & O_DIRECTORY) == 0) return handle;
        answer = -ENOTDIR;
    }
    call(SYS_close, handle);
    return answer;
}

constexpr uint64_t how_to(Links links) {
    switch (links) {
        case Links::in_root: return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
        case Links::beneath: return RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
        case Links::refused: break;
    }
    return RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
}

}  // namespace

long walk_below(long directory, const char* path, uint64_t flags, Links links) noexcept {
    return Walk(directory, flags, links).run(path);
}

long open_below(long directory, const char* path, uint64_t flags, Links links) noexcept {
    open_how how = {};
    how.flags = flags | O_CLOEXEC;
    how.resolve = how_to(links);
    const long opened = call(SYS_openat2, directory, path, &how, sizeof how);
    const bool is_refused = opened == -ENOSYS || opened == -EPERM || opened == -EAGAIN;
    return is_refused ? walk_below(directory, path, flags, links) : opened;
}

}  // namespace sandbox
