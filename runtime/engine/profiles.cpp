#include "runtime/engine/profiles.hpp"

#include "sandbox/filter/oci_rules.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/profile/permissions.hpp"
#include "sandbox/spec/limits_text.hpp"
#include "stages/pipeline/pipeline_file.hpp"

namespace runtime::engine {

using sandbox::Permission;
using sandbox::os::format;

Profiles::Profiles(const stages::Pipeline& pipeline)
    : pipeline_(pipeline), places_(sandbox::profile_places(pipeline.directory)) {}

std::string Profiles::name_of(const stages::Stage& stage) const {
    const bool is_path = stage.profile.starts_with("./");
    return is_path ? pipeline_.directory + stage.profile.substr(1) : stage.profile;
}

const std::string& Profiles::material_of(const stages::Stage& stage) {
    const auto known = materials_.find(stage.profile);
    if (known != materials_.end()) return known->second;
    static_cast<void>(of(stage));  // what is wrong with it is said there
    return materials_.emplace(stage.profile, sandbox::profile_material(name_of(stage), places_)).first->second;
}

const sandbox::Profile& Profiles::of(const stages::Stage& stage) {
    const auto known = profiles_.find(stage.profile);
    if (known != profiles_.end()) return known->second;
    try {
        return profiles_.emplace(stage.profile, sandbox::load_profile(name_of(stage), places_)).first->second;
    } catch (const sandbox::ConfigError& error) {
        if (error.line() > 0) throw;  // inside the profile's file
        throw stages::error_at(pipeline_, stage.profile_at, error.problem().what, error.problem().remedy);
    } catch (const sandbox::FilterError& error) {
        throw stages::error_at(pipeline_, stage.profile_at,
                               format("the profile {} cannot be used: {}", stage.profile, error.what()));
    }
}

void Profiles::check(const stages::Stage& stage) {
    const sandbox::Profile& profile = of(stage);
    const auto need = [&](Permission which, const std::string& asked) {
        if (profile.file.allowed.has(which)) return;
        const std::string_view word = sandbox::word_of(which);
        throw stages::error_at(
            pipeline_, stage.at,
            format("the stage {} has {}, which its profile {} does not allow", stage.name, asked, stage.profile),
            format("take a profile with allow = [\"{0}\"], or write one that extends {1} with "
                   "allow-add = [\"{0}\"]",
                   word, stage.profile));
    };
    if (stage.network == sandbox::Network::host) need(Permission::host_network, "network = \"host\"");
    if (!stage.devices.empty()) need(Permission::devices, "devices");
}

sandbox::Limits Profiles::limits(const stages::Stage& stage) {
    return sandbox::merge_limits(of(stage).file.limits, stage.limits);
}

std::vector<std::string> Profiles::check_limits(const stages::Stage& stage, jail::JailCgroups& cgroups) {
    jail::JailCgroups::Kept kept = cgroups.keep(limits(stage), stage.ids);
    if (kept.limits.unkept.empty()) return std::move(kept.limits.otherwise);
    throw stages::error_at(pipeline_, stage.at,
                           format("the stage {} has limits that cannot be kept here: {}", stage.name,
                                  sandbox::os::list_words(kept.limits.unkept)),
                           kept.remedy);
}

const sandbox::Profile& Profiles::checked(const stages::Stage& stage) {
    check(stage);
    return of(stage);
}

std::vector<std::string> Profiles::notes() const {
    std::vector<std::string> notes;
    for (const auto& [name, profile] : profiles_) {
        notes.insert(notes.end(), profile.notes.begin(), profile.notes.end());
    }
    return notes;
}

sandbox::Permissions Profiles::in_force(const stages::Stage& stage) {
    const sandbox::Profile& profile = of(stage);
    sandbox::Permissions in_force = profile.file.allowed;
    if (stage.network != sandbox::Network::host) in_force.drop(Permission::host_network);
    if (stage.devices.empty()) in_force.drop(Permission::devices);
    in_force.add(profile.widened);
    return in_force;
}

std::vector<std::string_view> Profiles::granted(const stages::Stage& stage) {
    return sandbox::words_of(in_force(stage));
}

}  // namespace runtime::engine
