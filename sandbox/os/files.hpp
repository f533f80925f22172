// Small files and directories, always relative to a directory descriptor and never through a symbolic link in the last
// component. Trees that a payload wrote have their own rules, see runtime/store/tree.hpp.
#pragma once
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/problem.hpp"

namespace sandbox::os {

// `parent` is AT_FDCWD or a directory. All throw SysError, unless said otherwise. In a directory that is not there,
// which has a descriptor below zero, there is no file.
Fd open_directory(int parent, const std::string& path);
Fd open_to_read(int parent, const std::string& path);
Fd create_file(int parent, const std::string& path, mode_t mode);

// The whole of a file: of one that must be there, and of one that need not be.
std::string read_file(int parent, const std::string& path);
enum class Links : std::uint8_t { refused, followed };
std::optional<std::string> read_file_if_exists(int parent, const std::string& path, Links links = Links::refused);
// The same for a file that a user names: it may be a link, or anything else. Throws UnfitFile for what is no regular
// file, and for one that is larger than `most` bytes.
std::optional<std::string> read_chosen_file(int parent, const std::string& path, std::size_t most);
class UnfitFile : public Error {  // what(): "not a regular file", "larger than 4 MiB"
  public:
    using Error::Error;
};
std::string read_all(int fd, std::string_view what);

// For files of procfs and sysfs that hold one value, which are read by the hundred: what one read gives, without the
// newline at its end. Nothing where the file is gone or closed to us. Good until `buffer` is used again.
using SmallBuffer = std::array<char, 4096>;
std::optional<std::string_view> read_small(int parent, const std::string& path, SmallBuffer& buffer);
// The same for a file of any size, whole.
std::optional<std::string> read_whole(int parent, const std::string& path);

void write_all(int fd, std::string_view content, std::string_view what);

// Replaces a file in one step: a reader sees the old content or the new, also after a power cut.
void write_file_atomically(int parent, const std::string& path, std::string_view content);

// mkdir; one that is there already is no error.
void make_directory(int parent, const std::string& path, mode_t mode);
// mkdir -p; an absolute path.
void make_directories(const std::string& path, mode_t mode);
// The absolute path without links, "." and ".."; of something that exists.
std::string real_path(const std::string& path);
bool exists(int parent, const std::string& path);
// The names in a directory, sorted by byte, without "." and "..".
std::vector<std::string> list_directory(int directory);

}  // namespace sandbox::os
