// Whether a build has the permissions and the space that it needs, looked at before it starts.
#pragma once
#include <sys/statvfs.h>

#include "runtime/host/state/finding.hpp"

namespace runtime::host {

// A directory that will be written to, or its nearest parent that is there. `expected`: how many bytes it will take; 0:
// nobody knows.
[[nodiscard]] Findings check_room(const std::string& directory, double expected = 0);
// The part of it that is known by the numbers of a file system. `name`: of the place, fit for a terminal.
[[nodiscard]] Findings judge_room(const std::string& name, const struct statvfs& about, double expected);
// A file or directory that a stage reads.
[[nodiscard]] Findings check_readable(const std::string& path, const std::string& what);

}  // namespace runtime::host
