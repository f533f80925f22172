// Where a profile's name leads: to a file of the pipeline, of the user, or to one that ships; and what it says together
// with those that it extends. Knows nothing of filters.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/profile/file.hpp"

namespace sandbox {

struct EmbeddedProfile;

struct ProfilePlaces {
    std::vector<std::string> folders;  // asked in this order for NAME.toml, before those that ship
    std::string cache;                 // of compiled filters; empty: none
};

// PIPELINE/profiles, where a directory is given, and $XDG_CONFIG_HOME/stagebox/profiles (default ~/.config); the cache
// is $XDG_CACHE_HOME/stagebox/filters (default ~/.cache). Relative values of these variables are ignored, as the XDG
// base directory specification says.
ProfilePlaces profile_places(const std::string& pipeline_directory = {});

// One of the user's directories, as the XDG base directory specification has them: the variable's value, where that is
// absolute, else what lies below the home. Nothing where there is no home.
std::optional<std::string> base_directory(const char* variable, const char* below_home);

// The origin of a profile that is part of the program.
inline constexpr const char* ships = "ships with Stagebox";

struct FoundProfile {
    ProfileFile file;
    std::string origin;              // its path, or `ships`
    std::string material;            // every byte of it and of those that it extends
    std::vector<std::string> chain;  // their names, its own first
    std::vector<std::string> notes;  // what a user should be told: files that stand in for what ships
};

// `name_or_path`: with a slash in it, a file; else a name. Throws ConfigError.
FoundProfile find_profile(const std::string& name_or_path, const ProfilePlaces& places);

// The profile that ships under this name, ready for use, so that nothing has to be read. Null where there is none, or
// where a file of `places` stands in for it or for one that it extends.
const EmbeddedProfile* shipped_profile(const std::string& name, const ProfilePlaces& places);

// The text of a file that ships, by its path below profiles/.
std::optional<std::string_view> shipped_text(std::string_view name);

// The profiles that ship, in alphabetical order: "build", ...
std::vector<std::string_view> profile_names();

}  // namespace sandbox
