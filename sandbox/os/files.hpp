// Small files and directories, always relative to a directory descriptor and never through a symbolic link in the last
// component. Trees that a payload wrote have their own rules, see runtime/store/tree.hpp.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/os/fd.hpp"

namespace sandbox::os {

// `parent` is AT_FDCWD or a directory. All throw SysError, unless said otherwise.
Fd open_directory(int parent, const std::string& path);
Fd open_to_read(int parent, const std::string& path);
Fd create_file(int parent, const std::string& path, mode_t mode);

// The whole of a file; std::nullopt where there is none.
std::optional<std::string> read_file_if_exists(int parent, const std::string& path);
std::string read_file(int parent, const std::string& path);
std::string read_all(int fd, std::string_view what);
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
