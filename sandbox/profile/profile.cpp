#include "sandbox/profile/profile.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "sandbox/filter/compile.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/profile/embedded.hpp"
#include "sandbox/profile/filter.hpp"
#include "sandbox/profile/filter_cache.hpp"
#include "sandbox/profile/loosening.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace sandbox {
namespace {

using os::format;
using os::quote;

constexpr std::size_t max_filter_size = 1U << 20U;
constexpr const char* mandatory_file = "seccomp/mandatory.json";

std::optional<std::string> read_if_there(const std::string& path) {
    try {
        return os::read_chosen_file(AT_FDCWD, path, max_filter_size);
    } catch (const os::UnfitFile& unfit) {
        throw FilterError(format("{}: {}", path, unfit.what()));
    }
}

FilterText find_filter(const SeccompFile& file, const std::string& profile) {
    const bool is_absolute = file.name.starts_with('/');
    if (file.folder || is_absolute) {
        const std::string path = is_absolute ? file.name : *file.folder + file.name;
        if (std::optional<std::string> text = read_if_there(path)) return {path, std::move(*text)};
    }
    if (const std::optional<std::string_view> text = shipped_text(file.name)) return {file.name, std::string(*text)};
    throw FilterError(format("profile {}: there is no seccomp file {}{}", quote(profile), quote(file.name),
                             is_absolute ? "" : ", neither beside the profile nor among those that ship"));
}

FilterRecipe recipe_of(const ProfileFile& file) {
    FilterRecipe recipe;
    recipe.capabilities = file.capabilities;
    recipe.allowed = file.allowed;
    recipe.opened = file.opened;
    recipe.closed = file.closed;
    recipe.mandatory = {mandatory_file, std::string(shipped_text(mandatory_file).value())};
    for (const SeccompFile& filter : file.filters) recipe.files.push_back(find_filter(filter, file.name));
    return recipe;
}

FilterProgram program_of(const EmbeddedProfile& profile) {
    return {{profile.filter.begin(), profile.filter.end()}};
}

std::optional<FilterProgram> ready_filter(const std::string& id) {
    const auto profiles = embedded_profiles();
    const auto it = std::ranges::find(profiles, id, &EmbeddedProfile::filter_id);
    if (it == profiles.end()) return std::nullopt;
    return program_of(*it);
}

FilterProgram cached_filter(const FilterRecipe& recipe, const std::string& text, const std::string& folder) {
    const FilterCache cache(folder);
    if (std::optional<FilterProgram> program = cache.find(text)) return std::move(*program);
    FilterProgram program = compile_recipe(recipe);
    cache.keep(text, program);
    return program;
}

Fence fence_of(const Permissions& allowed) {
    if (allowed.has(Permission::no_landlock)) return Fence::off;
    return allowed.has(Permission::mounts) ? Fence::processes : Fence::on;
}

}  // namespace

Profile load_profile(const std::string& name_or_path, const ProfilePlaces& places) {
    if (const EmbeddedProfile* shipped = shipped_profile(name_or_path, places)) {
        return {shipped->file(), program_of(*shipped), ships, {}, std::string(shipped->filter_id), {}};
    }
    FoundProfile found = find_profile(name_or_path, places);
    const FilterRecipe recipe = recipe_of(found.file);
    const std::string text = recipe_text(recipe);
    Profile profile;
    profile.filter_id = filter_id(text);
    profile.widened = widened_beyond_shipped(found.file, recipe);
    std::optional<FilterProgram> ready = ready_filter(profile.filter_id);
    profile.filter = ready ? std::move(*ready) : cached_filter(recipe, text, places.cache);
    profile.file = std::move(found.file);
    profile.origin = std::move(found.origin);
    profile.notes = std::move(found.notes);
    return profile;
}

std::string profile_material(const std::string& name_or_path, const ProfilePlaces& places) {
    const FoundProfile found = find_profile(name_or_path, places);
    return found.material + recipe_text(recipe_of(found.file));
}

void apply_profile(const Profile& profile, BuildSpec& spec) {
    spec.profile = profile.file.name;
    spec.hostname = profile.file.hostname;
    spec.read_only_paths = profile.file.read_only_paths;
    spec.masked_paths = profile.file.masked_paths;
    spec.limits = merge_limits(profile.file.limits, spec.limits);
    spec.allow.capabilities = profile.file.capabilities;
    spec.allow.filter = profile.filter;
    spec.allow.granted = profile.file.allowed;
    const bool may_nest = profile.file.allowed.has(Permission::nested_namespaces);
    spec.allow.nested_namespaces = may_nest ? Nested::allowed : Nested::forbidden;
    spec.allow.landlock = fence_of(profile.file.allowed);
    spec.allow.rlimits = profile.file.rlimits;
    for (RlimitValue& limit : spec.allow.rlimits) {
        rlimit own{};
        os::sys([&] { return ::getrlimit(static_cast<__rlimit_resource>(limit.resource), &own); },
                "ask for resource limit {}", limit.resource);
        limit.soft = std::min<std::uint64_t>(limit.soft, own.rlim_max);
        limit.hard = std::min<std::uint64_t>(limit.hard, own.rlim_max);
    }
}

}  // namespace sandbox
