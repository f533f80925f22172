// Profiles: what a jail allows, read from data. A profile is a small TOML file that names its seccomp files,
// capabilities, limits and paths of /proc; profiles/README.md is the reference. Knows nothing of stages,
// roots or mounts.
//
// The profiles that ship are part of the program, already read and with their filters compiled: libseccomp needs tens
// of milliseconds for such a list, which is longer than everything else about a jail together.
#pragma once
#include <string>
#include <vector>

#include "sandbox/profile/find.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// A profile that is ready for use.
struct Profile {
    ProfileFile file;
    FilterProgram filter;
    std::string origin;              // its path, or "ships with Stagebox"
    std::vector<std::string> notes;  // what a user should be told about it; see FoundProfile
    std::string filter_id;           // names the filter's recipe
    Permissions widened = {};        // what it allows beyond those that ship; see profile/loosening.hpp
};

// `name_or_path`: with a slash in it, a file; else a name, looked for in `places` and then among the profiles that
// ship. A seccomp file is looked for beside the profile that names it, then among those that ship. Throws ConfigError
// for a profile, FilterError for a seccomp file that is wrong.
Profile load_profile(const std::string& name_or_path, const ProfilePlaces& places = profile_places());

// Every byte that decides what this profile allows: for the key of a stage, and for nothing else. Throws as
// load_profile.
std::string profile_material(const std::string& name_or_path, const ProfilePlaces& places = profile_places());

// Puts a profile into a spec: host name, paths and allowance; and limits, where the spec has none of its own. Soft and
// hard resource limits above the caller's own hard limit are lowered to it: only the privileged may raise one
// (setrlimit(2)), and a jail should not fail for being kept shorter.
void apply_profile(const Profile& profile, BuildSpec& spec);

}  // namespace sandbox
