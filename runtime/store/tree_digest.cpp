#include "runtime/store/tree_digest.hpp"

#include "runtime/store/content_digest.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::store {

using sandbox::os::format;

TreeDigest::TreeDigest() {
    field("stagebox tree 2");
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
    field(format("{}", size));
    field(content_digest(fd, size, path));
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
