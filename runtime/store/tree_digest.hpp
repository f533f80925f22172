// The canonical form of a tree, fed to a digest entry by entry. Every field is preceded by its length, so that no two
// different trees give the same bytes.
#pragma once
#include <sys/stat.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/store/tree.hpp"
#include "sandbox/os/sha256.hpp"

namespace runtime::store {

// What of an entry's status is part of the digest.
struct Attributes {
    char type = 'f';  // d, f, l, h (another name of a file seen before), c, b, p, s, w (whiteout)
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int64_t time = 0;
};

class TreeDigest {
  public:
    TreeDigest();
    void entry(std::string_view path, const Attributes& attributes);
    void field(std::string_view bytes);
    // The content of a regular file of that size. Throws TreeError if it turns out to be another.
    void content(int fd, std::uint64_t size, std::string_view path);
    // The path under which this file was met before; empty for the first time, which is remembered.
    std::string first_name(const struct stat& status, const std::string& path);
    TreeFacts finish(bool is_directory);

  private:
    sandbox::os::Sha256 digest_;
    TreeFacts facts_;
    std::map<std::pair<dev_t, ino_t>, std::string> linked_;
};

}  // namespace runtime::store
