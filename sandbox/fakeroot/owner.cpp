#include "sandbox/fakeroot/owner.hpp"

#include <linux/capability.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "sandbox/os/format.hpp"

namespace sandbox {
namespace {

class Text {
  public:
    explicit Text(std::string_view text) : rest_(text) {}
    bool take(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    bool take(std::uint32_t& number) {
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
        if (error != std::errc{}) return false;
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return true;
    }
    [[nodiscard]] bool is_over() const { return rest_.empty(); }

  private:
    std::string_view rest_;
};

}  // namespace

std::string to_text(const Owner& owner) {
    std::string ids = os::format("{}:{}", owner.uid, owner.gid);
    if (owner.type == 0) return ids;
    return os::format("{} {} {}:{}", ids, owner.type == S_IFCHR ? 'c' : 'b', owner.major, owner.minor);
}

std::optional<Owner> owner_from(std::string_view written) {
    Owner owner;
    Text text(written);
    if (!text.take(owner.uid) || !text.take(":") || !text.take(owner.gid)) return std::nullopt;
    if (owner.uid == unchanged_id || owner.gid == unchanged_id) return std::nullopt;
    if (text.is_over()) return owner;
    if (text.take(" c ")) {
        owner.type = S_IFCHR;
    } else if (text.take(" b ")) {
        owner.type = S_IFBLK;
    } else {
        return std::nullopt;
    }
    if (!text.take(owner.major) || !text.take(":") || !text.take(owner.minor)) return std::nullopt;
    return text.is_over() ? std::optional(owner) : std::nullopt;
}

// Permitted and inheritable capabilities: the lower 32 of each hold an id, the upper ones of the first a mark. No
// capability has a number from 41 on, so that no real file has them.
constexpr std::uint32_t revision = VFS_CAP_REVISION_2;
constexpr std::uint32_t mark = 0x5b0b0000;

CapabilityBytes to_capability(const Owner& owner) {
    return {revision, owner.uid, owner.gid, mark, 0};
}

std::optional<Owner> owner_from_capability(std::span<const std::byte> bytes) {
    CapabilityBytes words = {};
    // A reader outside of the namespace gets a longer form, whose last word says whose root set it.
    if (bytes.size() < sizeof words) return std::nullopt;
    std::memcpy(words.data(), bytes.data(), sizeof words);
    if (words[3] != mark || words[4] != 0) return std::nullopt;
    if (words[1] == unchanged_id || words[2] == unchanged_id) return std::nullopt;
    return Owner{.uid = words[1], .gid = words[2]};
}

void show_owner(const Owner& owner, struct stat& status) {
    status.st_uid = owner.uid;
    status.st_gid = owner.gid;
    if (owner.type == 0 || !S_ISREG(status.st_mode)) return;
    status.st_mode = (status.st_mode & 07777U) | owner.type;
    status.st_rdev = makedev(owner.major, owner.minor);
    status.st_size = 0;
    status.st_blocks = 0;
}

void show_owner(const Owner& owner, struct statx& status) {
    status.stx_uid = owner.uid;
    status.stx_gid = owner.gid;
    if (owner.type == 0 || !S_ISREG(status.stx_mode)) return;
    status.stx_mode = static_cast<std::uint16_t>((status.stx_mode & 07777U) | owner.type);
    status.stx_rdev_major = owner.major;
    status.stx_rdev_minor = owner.minor;
    status.stx_size = 0;
    status.stx_blocks = 0;
}

int may_change_owner(const Identity& who, const Owner& from, std::uint32_t uid, std::uint32_t gid) {
    if (who.is_privileged()) return 0;
    const bool is_own = who.users.filesystem == from.uid;
    const bool may_uid = uid == unchanged_id || (is_own && uid == from.uid);
    const bool may_gid = gid == unchanged_id || (is_own && (gid == from.gid || who.is_in_group(gid)));
    return may_uid && may_gid ? 0 : EPERM;
}

Owner owner_of_new_file(const Identity& who, mode_t directory_mode, const Owner& directory) {
    const bool inherits = (directory_mode & S_ISGID) != 0;
    return {.uid = who.users.filesystem, .gid = inherits ? directory.gid : who.groups.filesystem};
}

}  // namespace sandbox
