// A profile as it is written: the keys of its TOML file, over those of the one that it extends. Knows nothing of where
// profiles are looked for, nor of what is in a seccomp file. profiles/README.md is the reference.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/config/keys.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// A seccomp file by the name that the profile gives it.
struct SeccompFile {
    std::string name;
    std::optional<std::string> folder;  // of that profile, with a slash at its end; nothing for one that ships
    bool operator==(const SeccompFile&) const = default;
};

struct ProfileFile {
    std::string name;
    std::string description;
    std::string hostname = "stagebox";
    std::vector<SeccompFile> filters;  // in the order in which they are asked
    // System calls that are allowed, or denied with EPERM, whatever the files say. No call is in both.
    std::vector<std::string> opened;
    std::vector<std::string> closed;
    std::uint64_t capabilities = 0;
    Permissions allowed;
    std::vector<RlimitValue> rlimits;
    Limits limits;
    std::vector<std::string> read_only_paths;
    std::vector<std::string> masked_paths;
    bool operator==(const ProfileFile&) const = default;
};

// Calls `visit` with the name and the value of each member. One that is missing here is not compiled.
template <class File, class Visit>
void for_each_field(File& file, Visit&& visit) {
    auto& [name, description, hostname, filters, opened, closed, capabilities, allowed, rlimits, limits,
           read_only_paths, masked_paths] = file;
    visit("name", name);
    visit("description", description);
    visit("hostname", hostname);
    visit("filters", filters);
    visit("opened", opened);
    visit("closed", closed);
    visit("capabilities", capabilities);
    visit("allowed", allowed);
    visit("rlimits", rlimits);
    visit("limits", limits);
    visit("read_only_paths", read_only_paths);
    visit("masked_paths", masked_paths);
}

// The keys of a profile's file.
std::vector<KeyInfo> profile_infos();

// `folder`: where the profile is; see SeccompFile. `parent`: what it extends; without one, "seccomp" and "capabilities"
// have to be there. The key "extends" itself is the caller's. Throws ConfigError.
ProfileFile read_profile_file(const ConfigTable& table, const std::optional<std::string>& folder = std::nullopt,
                              const ProfileFile* parent = nullptr);

}  // namespace sandbox
