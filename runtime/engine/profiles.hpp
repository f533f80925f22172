// The profiles of one pipeline's stages: each loaded once, and checked against what its stages ask for.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "runtime/jail/cgroups.hpp"
#include "sandbox/profile/profile.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace runtime::engine {

class Profiles {
  public:
    // Borrows the pipeline.
    explicit Profiles(const stages::Pipeline& pipeline);
    // Throws ConfigError, at the stage's place in the pipeline file for a profile that is not there or whose filter
    // cannot be used; in the profile's own file for what is wrong there.
    const sandbox::Profile& of(const stages::Stage& stage);
    // sandbox::profile_material() of the stage's profile, computed once. Throws ConfigError.
    const std::string& material_of(const stages::Stage& stage);
    // Throws ConfigError where the stage asks for what its profile does not allow.
    void check(const stages::Stage& stage);
    // Its own, and its profile's where it has none.
    sandbox::Limits limits(const stages::Stage& stage);
    // Throws ConfigError where it has limits that cannot be kept here. Answers how those are kept that no cgroup keeps.
    std::vector<std::string> check_limits(const stages::Stage& stage, jail::JailCgroups& cgroups);
    const sandbox::Profile& checked(const stages::Stage& stage);
    // What users should be told of those that are loaded.
    [[nodiscard]] std::vector<std::string> notes() const;
    // How the stage's jail is looser than the strictest of those that ship, as it is in force.
    sandbox::Permissions in_force(const stages::Stage& stage);
    // The words for it: "host-network".
    std::vector<std::string_view> granted(const stages::Stage& stage);

  private:
    [[nodiscard]] std::string name_of(const stages::Stage& stage) const;

    const stages::Pipeline& pipeline_;
    sandbox::ProfilePlaces places_;
    std::map<std::string, sandbox::Profile> profiles_;
    std::map<std::string, std::string> materials_;
};

}  // namespace runtime::engine
