// The file calls of a fakeroot: stat, chown, making files, listing attributes, answered from inside the jail's mount
// namespace and with the rights of the jail's root, for a process that asks and waits. One thread; keeps between calls
// only the owners that no attribute can hold.
//
// The one who asks is hostile. Every path is read once, and what is acted on is the copy. Paths are resolved by the
// kernel as the caller's own would be: below the caller's root, from its working directory or descriptor; never
// through a magic link of /proc, which could lead out of the jail with rights that the caller has not. Files are held
// by O_PATH handles, so that no FIFO and no device is ever opened, and what is made is made with O_EXCL. Whatever
// cannot be resolved so is left to the kernel, which answers as without a view.
#pragma once
#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "sandbox/fakeroot/calls.hpp"
#include "sandbox/fakeroot/listener.hpp"
#include "sandbox/fakeroot/owner.hpp"
#include "sandbox/os/fd.hpp"

namespace sandbox::fakeroot {

struct Reply {
    enum class Kind : std::uint8_t {
        go_on,  // the kernel makes the call
        value,
        error,
        sent,  // the answer has been given already, together with a descriptor
    } kind = Kind::go_on;
    std::int64_t value = 0;  // or the errno
};
Reply go_on();
Reply value(std::int64_t value);
Reply error(int error);

class FileView {
  public:
    // The working directory of this process must be the host's /proc, and stay so; its root is changed to the caller's
    // with every call. Only the listener's user.
    explicit FileView(const Listener& listener);

    Reply stat(const Notice& notice, const Stat& call);
    Reply chown(const Notice& notice, const Chown& call, const Identity& who);
    Reply open(const Notice& notice, const Open& call, const Identity& who);
    Reply open(const Notice& notice, const OpenHow& call, const Identity& who);
    Reply make(const Notice& notice, const Make& call, const Identity& who);
    Reply link(const Notice& notice, const Link& call, const Identity& who);
    Reply list(const Notice& notice, const ListAttributes& call);

  private:
    // A file or place that a call names, as far as it could be resolved.
    struct Place {
        os::Fd directory;
        std::string name;
        Owner directory_owner;
        mode_t directory_mode = 0;
    };
    using Key = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::uint32_t>;

    [[nodiscard]] static bool enter_root(const Notice& notice);
    [[nodiscard]] static os::Fd base_of(const Notice& notice, const FileName& file, const std::string& path);
    [[nodiscard]] std::optional<std::string> path_of(const Notice& notice, const FileName& file) const;
    [[nodiscard]] os::Fd find(const Notice& notice, const FileName& file, LastLink last_link) const;
    [[nodiscard]] static os::Fd find(const Notice& notice, const FileName& file, const std::string& path,
                                     LastLink last_link);
    [[nodiscard]] std::optional<Place> find_place(const Notice& notice, const FileName& file, mode_t type) const;
    [[nodiscard]] bool may_be_recorded(const Notice& notice, const Stat& call, const std::string& path) const;
    template <class Status>
    Reply answer_stat(const Notice& notice, const Stat& call, const Owner& owner, Status& status) const;

    [[nodiscard]] std::optional<Owner> recorded(int file, mode_t mode) const;
    [[nodiscard]] Owner owner_of(int file, const struct stat& status) const;
    int record(int file, const Owner& owner);
    Reply made(const Place& place, const Owner& owner);

    const Listener& listener_;
    // Owners of files where the file system has no attributes. They are known for as long as the jail runs.
    std::map<Key, Owner> others_;
    bool has_getxattrat_;
};

}  // namespace sandbox::fakeroot
