#include "sandbox/profile/loosening.hpp"

#include <algorithm>

#include "sandbox/profile/embedded.hpp"
#include "sandbox/profile/find.hpp"

namespace sandbox {
namespace {

template <class List, class Element>
bool has(const List& list, const Element& one) {
    return std::ranges::find(list, one) != list.end();
}

template <class Few, class Many>
bool is_within(const Few& few, const Many& many) {
    return std::ranges::all_of(few, [&](const auto& one) { return has(many, one); });
}

// The words that are in force by being there.
Permissions loosening_words(Permissions allowed) {
    allowed.drop(Permission::host_network);
    allowed.drop(Permission::devices);
    return allowed;
}

bool asks_file(const FilterRecipe& recipe, const SeccompFile& shipped) {
    const auto text = shipped_text(shipped.name);
    return std::ranges::any_of(recipe.files, [&](const FilterText& one) { return text && one.text == *text; });
}

bool has_filter_within(const FilterRecipe& recipe, const ProfileFile& shipped) {
    return std::ranges::all_of(shipped.filters, [&](const SeccompFile& one) { return asks_file(recipe, one); }) &&
           is_within(recipe.opened, shipped.opened) && is_within(shipped.closed, recipe.closed);
}

bool closes_paths_of(const ProfileFile& file, const ProfileFile& shipped) {
    const auto is_closed = [&](const std::string& path) {
        return has(file.read_only_paths, path) || has(file.masked_paths, path);
    };
    return is_within(shipped.masked_paths, file.masked_paths) &&
           std::ranges::all_of(shipped.read_only_paths, is_closed);
}

}  // namespace

Permissions widened_beyond_shipped(const ProfileFile& file, const FilterRecipe& recipe) {
    Permissions widened;
    widened.add(Permission::system_calls);
    widened.add(Permission::proc_paths);
    std::uint64_t known_capabilities = 0;
    for (const EmbeddedProfile& one : embedded_profiles()) {
        const ProfileFile shipped = one.file();
        if (!file.allowed.covers(loosening_words(shipped.allowed))) continue;
        known_capabilities |= shipped.capabilities;
        if (has_filter_within(recipe, shipped)) widened.drop(Permission::system_calls);
        if (closes_paths_of(file, shipped)) widened.drop(Permission::proc_paths);
    }
    if ((recipe.capabilities & ~known_capabilities) != 0) widened.add(Permission::capabilities);
    return widened;
}

}  // namespace sandbox
