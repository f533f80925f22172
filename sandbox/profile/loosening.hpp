// How a profile that somebody wrote is wider than those that ship, in what no word of its list `allow` says.
#pragma once
#include "sandbox/profile/file.hpp"
#include "sandbox/profile/filter.hpp"

namespace sandbox {

// Of `capabilities`, `system-calls` and `proc-paths`, those that the profile needs. It is held against the profiles
// that ship whose words it has all: what goes with a word there, as CAP_SYS_PTRACE with `ptrace`, is no loosening of
// its own. A filter is as narrow as one that ships where it asks all the files that this one asks: more files only take
// away. Nothing that ships is wider than itself.
Permissions widened_beyond_shipped(const ProfileFile& file, const FilterRecipe& recipe);

}  // namespace sandbox
