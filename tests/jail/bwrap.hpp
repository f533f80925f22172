// The program under test by the name bwrap.
#pragma once
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/jail/jail.hpp"

namespace tests::jail {

// A link named bwrap to the program, in a directory of its own: what stands first in somebody's PATH.
inline std::string bwrap_link(const support::Workspace& workspace) {
    const std::string directory = workspace.path() + "/bin";
    std::filesystem::create_directories(directory);
    std::string link = directory + "/bwrap";
    if (!std::filesystem::exists(link)) std::filesystem::create_symlink(support::stagebox_program(), link);
    return link;
}

// Debian's own, to compare with.
inline bool has_bubblewrap() {
    if (::access("/usr/bin/bwrap", X_OK) == 0) return true;
    support::unavailable("bubblewrap is not installed (scripts/setup --test)");
    return false;
}

}  // namespace tests::jail
