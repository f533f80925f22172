// Profiles: what a jail allows, read from data. A profile is a small TOML file that names its seccomp files,
// capabilities, limits and paths of /proc; profiles/README.md is the reference. Knows nothing of stages,
// roots or mounts.
//
// The profiles that ship are part of the program, with their filters already compiled: libseccomp needs tens
// of milliseconds for such a list, which is as long as everything else about a jail together.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/config.hpp"
#include "sandbox/spec.hpp"

namespace sandbox {

// A profile as it is written, before its seccomp files are looked at.
struct ProfileFile {
    std::string name;
    std::string description;
    std::string hostname = "stagebox";
    std::vector<std::string> filters;  // seccomp files, in the order in which they are asked
    std::uint64_t capabilities = 0;
    std::vector<RlimitValue> rlimits;
    std::vector<std::string> read_only_paths;
    std::vector<std::string> masked_paths;
};

// Throws ConfigError.
ProfileFile read_profile_file(const ConfigTable& table);

// A profile that is ready for use.
struct Profile {
    ProfileFile file;
    FilterProgram filter;
    // Every byte that decides what this profile allows: for the key of a stage, and for nothing else.
    std::string material;
};

// `name_or_path`: with a slash in it, a file; else the name of a profile that ships. A seccomp file is looked
// for beside the profile that names it, then among those that ship. Throws ConfigError for a profile,
// FilterError for a seccomp file that is wrong.
Profile load_profile(const std::string& name_or_path);

// "build", ... in alphabetical order.
std::vector<std::string_view> profile_names();

// Puts a profile into a spec: host name, paths and allowance. Soft and hard limits above the caller's own
// hard limit are lowered to it: only the privileged may raise one (setrlimit(2)), and a jail should not fail
// for being kept shorter.
void apply_profile(const Profile& profile, Spec& spec);

}  // namespace sandbox
