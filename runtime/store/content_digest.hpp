// The digest of a file's content, whatever file system it lies on: SHA-256 over the SHA-256 of each block of 1 MiB, the
// last one as long as what is left. A block of zeros has one digest, whether it is written or a hole, and a hole is not
// read (lseek(2), SEEK_DATA).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace runtime::store {

// 64 hexadecimal characters. `path`: for messages. Throws TreeError where the file does not have `size` bytes, and
// SysError where it cannot be read.
std::string content_digest(int fd, std::uint64_t size, std::string_view path);

}  // namespace runtime::store
