#include "runtime/store/tree_digest.hpp"

#include <unistd.h>

#include <vector>

#include "sandbox/os/sys.hpp"

namespace runtime::store {

using sandbox::os::format;
using sandbox::os::sys;

TreeDigest::TreeDigest() {
    field("stagebox tree 1");
}

void TreeDigest::field(std::string_view bytes) {
    digest_.update(format("{}:", bytes.size()));
    digest_.update(bytes);
}

void TreeDigest::entry(std::string_view path, const Attributes& attributes) {
    facts_.entries += 1;
    field(path);
    field(
        format("{} {:o} {} {} {}", attributes.type, attributes.mode, attributes.uid, attributes.gid, attributes.time));
}

void TreeDigest::content(int fd, std::uint64_t size, std::string_view path) {
    static std::vector<char> buffer(std::size_t{1} << 20U);  // one thread; too large for the stack
    digest_.update(format("{}:", size));
    std::uint64_t left = size;
    for (;;) {
        const auto got =
            static_cast<std::uint64_t>(sys([&] { return ::read(fd, buffer.data(), buffer.size()); }, "read {}", path));
        if (got == 0) break;
        if (got > left) throw TreeError(format("{} grew while it was read", path));
        digest_.update({buffer.data(), static_cast<std::size_t>(got)});
        left -= got;
    }
    if (left != 0) throw TreeError(format("{} shrank while it was read", path));
    facts_.bytes += size;
}

std::string TreeDigest::first_name(const struct stat& status, const std::string& path) {
    if (status.st_nlink < 2) return {};
    const auto [found, is_new] = linked_.try_emplace({status.st_dev, status.st_ino}, path);
    return is_new ? std::string{} : found->second;
}

TreeFacts TreeDigest::finish(bool is_directory) {
    facts_.is_directory = is_directory;
    facts_.digest = digest_.finish();
    return facts_;
}

}  // namespace runtime::store
