// What a file of a jail with one uid would be, had a real root made it: owner, group, and for devices their kind and
// number. Written down in an extended attribute of the file itself, which overlayfs copies up with it and which is
// still there in the layer. Values and their text only; who reads and writes the attribute is fakeroot/server.hpp and
// the store.
//
// Regular files and directories bear it as text in an attribute of our own. Others can have no user attributes
// (xattr(7)); the one attribute that the root of a user namespace may give them is the file capability, which means
// nothing there, because they are never executed, and has room for two ids.
#pragma once
#include <sys/stat.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sandbox/fakeroot/identity.hpp"

namespace sandbox {

inline constexpr const char* owner_attribute = "user.stagebox.owner";
inline constexpr std::size_t longest_owner = 64;  // bytes of its text

struct Owner {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    mode_t type = 0;  // S_IFCHR or S_IFBLK: a regular file stands for this device; 0: the file is what it is
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    bool operator==(const Owner&) const = default;
};

// "105:113", "0:6 b 8:1". Text that is nothing of the kind is no owner: a payload may write what it likes there.
std::string to_text(const Owner& owner);
std::optional<Owner> owner_from(std::string_view written);

inline constexpr const char* capability_attribute = "security.capability";
using CapabilityBytes = std::array<std::uint32_t, 5>;  // struct vfs_cap_data, capabilities(7), little-endian
// Without a device. What has real file capabilities is no owner.
CapabilityBytes to_capability(const Owner& owner);
std::optional<Owner> owner_from_capability(std::span<const std::byte> bytes);

// What stat(2) and statx(2) show of a file with this owner.
void show_owner(const Owner& owner, struct stat& status);
void show_owner(const Owner& owner, struct statx& status);

// chown(2): may this identity change `from` to those ids (unchanged_id: stays)? 0, or the errno.
int may_change_owner(const Identity& who, const Owner& from, std::uint32_t uid, std::uint32_t gid);

// Who owns what this identity makes in a directory of that mode and owner (inode(7), the set-group-ID bit).
Owner owner_of_new_file(const Identity& who, mode_t directory_mode, const Owner& directory);

}  // namespace sandbox
