// Whether a user has granted what a pipeline asks for: by --allow, by the user's own configuration, or by an answer on
// a terminal, which is remembered as long as nothing changes that it was about.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/consent/request.hpp"

namespace runtime::consent {

// Where a user's own files are: $XDG_CONFIG_HOME/stagebox and $XDG_STATE_HOME/stagebox. Empty: nowhere.
struct OwnPlaces {
    std::string config;
    std::string state;
};
OwnPlaces own_places();

// What [allow] of the user's config.toml grants to pipelines in a directory: it names directories, and what is below
// one of them is meant too.
struct DirectoryGrant {
    sandbox::Permissions permissions;
    std::string by;  // the entries that count, as they are written
};
// Throws ConfigError.
DirectoryGrant granted_to(const std::string& directory, const OwnPlaces& places);

// Lines for the user.
using Say = std::function<void(std::string_view line)>;

// Says what is asked for and by what it is granted. Asks on the terminal, where standard input and error are one and
// something is not granted. Throws std::invalid_argument where it is not granted then; ConfigError for the user's own
// files. `allow`: the words of --allow.
void obtain(const Request& request, const std::vector<std::string>& allow, const stages::Pipeline& pipeline,
            const Say& say);

}  // namespace runtime::consent
