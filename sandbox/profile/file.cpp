#include "sandbox/profile/file.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "sandbox/filter/compile.hpp"
#include "sandbox/os/caps.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/profile/permissions.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace sandbox {
namespace {

using os::did_you_mean;
using os::list_words;
using os::quote;

struct LimitName {
    std::string_view name;
    int resource;
};
// getrlimit(2), without the ones that mean nothing on Linux today.
constexpr std::array<LimitName, 14> rlimit_names = {{{"as", RLIMIT_AS},
                                                     {"core", RLIMIT_CORE},
                                                     {"cpu", RLIMIT_CPU},
                                                     {"data", RLIMIT_DATA},
                                                     {"fsize", RLIMIT_FSIZE},
                                                     {"memlock", RLIMIT_MEMLOCK},
                                                     {"msgqueue", RLIMIT_MSGQUEUE},
                                                     {"nice", RLIMIT_NICE},
                                                     {"nofile", RLIMIT_NOFILE},
                                                     {"nproc", RLIMIT_NPROC},
                                                     {"rtprio", RLIMIT_RTPRIO},
                                                     {"rttime", RLIMIT_RTTIME},
                                                     {"sigpending", RLIMIT_SIGPENDING},
                                                     {"stack", RLIMIT_STACK}}};

std::uint64_t limit_of(const ConfigValue& value) {
    if (value.is_string() && value.as_one_of({"unlimited"}) == "unlimited") return RLIM_INFINITY;
    const std::int64_t number = value.as_integer();
    if (number < 0) throw value.error("a limit is 0 or more", "\"unlimited\" is none");
    return static_cast<std::uint64_t>(number);
}

RlimitValue rlimit_of(int resource, const ConfigValue& value) {
    if (!value.is_array()) {
        const std::uint64_t limit = limit_of(value);
        return {resource, limit, limit};
    }
    const std::vector<ConfigValue>& pair = value.as_array();
    if (pair.size() != 2) throw value.error("a limit is one number, or the soft and the hard one");
    const RlimitValue limit = {resource, limit_of(pair[0]), limit_of(pair[1])};
    if (limit.soft > limit.hard) throw value.error("the soft limit is above the hard one");
    return limit;
}

// Over those that are there: a resource has one limit.
void read_rlimits(const ConfigTable& table, std::vector<RlimitValue>& limits) {
    std::array<std::string_view, rlimit_names.size()> known;
    std::ranges::transform(rlimit_names, known.begin(), &LimitName::name);
    for (const ConfigEntry& entry : table.entries()) {
        const auto* const it = std::ranges::find(rlimit_names, entry.key, &LimitName::name);
        if (it == rlimit_names.end()) throw table.unknown_key(entry, known);
        const RlimitValue limit = rlimit_of(it->resource, entry.value);
        const auto same = std::ranges::find(limits, limit.resource, &RlimitValue::resource);
        if (same == limits.end()) {
            limits.push_back(limit);
        } else {
            *same = limit;
        }
    }
}

std::uint64_t capabilities_of(const ConfigValue& value) {
    std::uint64_t mask = 0;
    for (const ConfigValue& element : value.as_array()) {
        const std::optional<int> number = capability_number(element.as_string());
        if (!number) {
            throw element.error(os::format("there is no capability {}", quote(element.as_string())),
                                "capabilities(7) has the names; \"chown\" is CAP_CHOWN");
        }
        mask |= capability_bit(*number);
    }
    return mask;
}

std::vector<std::string> paths_of(const ConfigValue& value) {
    std::vector<std::string> paths;
    for (const ConfigValue& element : value.as_array()) {
        const std::string& path = element.as_string();
        if (!path.starts_with('/') || path.find("/../") != std::string::npos || path.ends_with("/..")) {
            throw element.error("this has to be an absolute path without \"..\"");
        }
        paths.push_back(path);
    }
    return paths;
}

// A path below the profile's folder, or an absolute one: the system's own seccomp files may be named where they are.
std::vector<SeccompFile> filters_of(const ConfigValue& value, const std::optional<std::string>& folder) {
    std::vector<SeccompFile> files;
    for (const ConfigValue& element : value.as_array()) {
        const std::string& name = element.as_string();
        if (name.empty() || name.starts_with("../") || name.find("/../") != std::string::npos) {
            throw element.error("this has to be a path below the profile's folder, or an absolute one, without \"..\"");
        }
        files.push_back({name, folder});
    }
    return files;
}

Permissions permissions_of(const ConfigValue& value) {
    Permissions permissions;
    for (const ConfigValue& element : value.as_array()) {
        const std::optional<Permission> which = permission_named(element.as_string());
        if (which && row_of(*which).source == PermissionSource::allow_list) {
            permissions.add(*which);
            continue;
        }
        const std::vector<std::string_view> known = words_from(PermissionSource::allow_list);
        const std::string hint = did_you_mean(element.as_string(), known);
        throw element.error(os::format("there is no {} to allow", quote(element.as_string())),
                            hint.empty() ? os::format("what can be allowed is {}", list_words(known)) : hint);
    }
    return permissions;
}

std::vector<std::string> calls_of(const ConfigValue& value) {
    std::vector<std::string> calls;
    for (const ConfigValue& element : value.as_array()) {
        const std::string& name = element.as_string();
        if (!is_system_call(name)) throw element.error(os::format("there is no system call {}", quote(name)));
        calls.push_back(name);
    }
    return calls;
}

// One key as it is written, and what its value is read with.
struct ProfileEntry {
    const ConfigTable& table;
    const ConfigValue& value;
    const std::optional<std::string>& folder;
    const ProfileFile* parent;
};

// KEY-add and KEY-drop change a list of the parent's, which KEY writes anew.
void check_change(const ProfileEntry& entry, std::string_view key) {
    if (entry.table.find(key) != nullptr) {
        throw entry.value.error(os::format("{} is already written as a whole in this file", quote(key)),
                                "keep the one or the other");
    }
    if (entry.parent == nullptr) {
        throw entry.value.error(os::format("there is no list {} to change: this profile extends none", quote(key)),
                                os::format("write {} = [...]", key));
    }
}

void add_paths(const ConfigValue& value, std::vector<std::string>& paths) {
    for (std::string& path : paths_of(value)) {
        if (std::ranges::find(paths, path) == paths.end()) paths.push_back(std::move(path));
    }
}

void drop_paths(const ConfigValue& value, std::vector<std::string>& paths) {
    for (const ConfigValue& element : value.as_array()) {
        const auto it = std::ranges::find(paths, element.as_string());
        if (it == paths.end()) throw element.error("the profile that this one extends has no such path");
        paths.erase(it);
    }
}

void move_calls(const std::vector<std::string>& calls, std::vector<std::string>& to, std::vector<std::string>& from) {
    for (const std::string& call : calls) {
        std::erase(from, call);
        if (std::ranges::find(to, call) == to.end()) to.push_back(call);
    }
}

// A child's word on a call goes over its parent's.
void allow_calls(const ProfileEntry& entry, ProfileFile& file) {
    for (const ConfigValue& element : entry.value.as_array()) {
        const std::optional<Permission> word = permission_of_call(element.as_string());
        if (!word) continue;
        throw element.error(os::format("{} loosens what isolates, and has a word of its own", element.as_string()),
                            os::format("write allow-add = [\"{0}\"], or {0} into the list \"allow\"", word_of(*word)));
    }
    move_calls(calls_of(entry.value), file.opened, file.closed);
}

void deny_calls(const ProfileEntry& entry, ProfileFile& file) {
    const std::vector<std::string> denied = calls_of(entry.value);
    if (const ConfigValue* allow = entry.table.find("seccomp-allow")) {
        const std::vector<std::string> allowed = calls_of(*allow);
        for (std::size_t i = 0; i < denied.size(); ++i) {
            if (std::ranges::find(allowed, denied[i]) == allowed.end()) continue;
            throw entry.value.as_array()[i].error(os::format("{} is in seccomp-allow too", quote(denied[i])));
        }
    }
    move_calls(denied, file.closed, file.opened);
}

struct ProfileKey {
    KeyInfo info;
    void (*read)(const ProfileEntry& entry, ProfileFile& file);  // nullptr: the caller's
};

// A profile is in the key of a stage with all its bytes, so that each of its keys has an effect on the result.
constexpr KeyInfo profile_info(std::string_view name, const Shape& shape, std::string_view doc,
                               Presence presence = Presence::optional) {
    return {name, shape, {}, presence, Effect::on_result, doc};
}

constexpr std::array<std::string_view, 1> unlimited = {"unlimited"};
constexpr Shape no_rlimit = shape::one_of(unlimited);
constexpr Shape plain_rlimit = shape::whole_from(0, INT64_MAX);
constexpr Shape one_rlimit = shape::either(plain_rlimit, no_rlimit);
constexpr Shape two_rlimits = shape::list_of(one_rlimit);
constexpr Shape rlimit_shape = shape::either(one_rlimit, two_rlimits);
constexpr Shape rlimits_shape{.kind = Shape::Kind::names, .of = &rlimit_shape};

// In the order in which they are read, and in which people are told of them.
constexpr std::array profile_keys = {
    ProfileKey{profile_info("name", shape::text, "For messages", Presence::required),
               [](const ProfileEntry& e, ProfileFile& file) { file.name = e.value.as_string(); }},
    ProfileKey{profile_info("description", shape::text, "One sentence"),
               [](const ProfileEntry& e, ProfileFile& file) { file.description = e.value.as_string(); }},
    ProfileKey{profile_info("extends", shape::text, "Another profile: what is not said here is as there"), nullptr},
    ProfileKey{profile_info("hostname", shape::text, "The jail's host name"),
               [](const ProfileEntry& e, ProfileFile& file) { file.hostname = e.value.as_string(); }},
    ProfileKey{profile_info("seccomp", shape::list_of_texts, "Seccomp files, in the order in which they are asked"),
               [](const ProfileEntry& e, ProfileFile& file) { file.filters = filters_of(e.value, e.folder); }},
    ProfileKey{profile_info("seccomp-allow", shape::list_of_texts, "System calls that are allowed with any arguments"),
               allow_calls},
    ProfileKey{profile_info("seccomp-deny", shape::list_of_texts, "System calls that are denied"), deny_calls},
    ProfileKey{profile_info("capabilities", shape::list_of_texts, "What stays of the capabilities"),
               [](const ProfileEntry& e, ProfileFile& file) { file.capabilities = capabilities_of(e.value); }},
    ProfileKey{profile_info("capabilities-add", shape::list_of_texts, "Capabilities beside the parent's"),
               [](const ProfileEntry& e, ProfileFile& file) {
                   check_change(e, "capabilities");
                   file.capabilities |= capabilities_of(e.value);
               }},
    ProfileKey{profile_info("capabilities-drop", shape::list_of_texts, "Capabilities that are taken from the parent's"),
               [](const ProfileEntry& e, ProfileFile& file) {
                   check_change(e, "capabilities");
                   file.capabilities &= ~capabilities_of(e.value);
               }},
    ProfileKey{profile_info("allow", shape::list_of_texts, "The words for what loosens isolation"),
               [](const ProfileEntry& e, ProfileFile& file) { file.allowed = permissions_of(e.value); }},
    ProfileKey{profile_info("allow-add", shape::list_of_texts, "Words beside the parent's"),
               [](const ProfileEntry& e, ProfileFile& file) {
                   check_change(e, "allow");
                   file.allowed.add(permissions_of(e.value));
               }},
    ProfileKey{profile_info("allow-drop", shape::list_of_texts, "Words that are taken from the parent's"),
               [](const ProfileEntry& e, ProfileFile& file) {
                   check_change(e, "allow");
                   file.allowed.drop(permissions_of(e.value));
               }},
    ProfileKey{profile_info("rlimits", rlimits_shape, "Resource limits of each process"),
               [](const ProfileEntry& e, ProfileFile& file) { read_rlimits(e.value.as_table(), file.rlimits); }},
    ProfileKey{profile_info("limits", shape::table_of(limit_infos), "What a jail may use up"),
               [](const ProfileEntry& e, ProfileFile& file) { read_limits(e.value.as_table(), file.limits); }},
    ProfileKey{profile_info("read-only", shape::list_of_texts, "Paths that are made read-only where they exist"),
               [](const ProfileEntry& e, ProfileFile& file) { file.read_only_paths = paths_of(e.value); }},
    ProfileKey{profile_info("read-only-add", shape::list_of_texts, "Paths beside the parent's"),
               [](const ProfileEntry& e, ProfileFile& file) {
                   check_change(e, "read-only");
                   add_paths(e.value, file.read_only_paths);
               }},
    ProfileKey{profile_info("read-only-drop", shape::list_of_texts, "Paths that are taken from the parent's"),
               [](const ProfileEntry& e, ProfileFile& file) {
                   check_change(e, "read-only");
                   drop_paths(e.value, file.read_only_paths);
               }},
    ProfileKey{profile_info("masked", shape::list_of_texts, "Paths that are hidden where they exist"),
               [](const ProfileEntry& e, ProfileFile& file) { file.masked_paths = paths_of(e.value); }},
    ProfileKey{profile_info("masked-add", shape::list_of_texts, "Paths beside the parent's"),
               [](const ProfileEntry& e, ProfileFile& file) {
                   check_change(e, "masked");
                   add_paths(e.value, file.masked_paths);
               }},
    ProfileKey{profile_info("masked-drop", shape::list_of_texts, "Paths that are taken from the parent's"),
               [](const ProfileEntry& e, ProfileFile& file) {
                   check_change(e, "masked");
                   drop_paths(e.value, file.masked_paths);
               }},
};
static_assert(std::ranges::all_of(profile_keys, is_complete, &ProfileKey::info));

}  // namespace

std::vector<KeyInfo> profile_infos() {
    return infos_of(profile_keys);
}

ProfileFile read_profile_file(const ConfigTable& table, const std::optional<std::string>& folder,
                              const ProfileFile* parent) {
    for_each_key(table, profile_keys, [](const ProfileKey&, const ConfigEntry&) {});
    require_keys(table, profile_keys);
    if (parent == nullptr) {
        static_cast<void>(table.require("seccomp"));
        static_cast<void>(table.require("capabilities"));
    }
    ProfileFile file = parent == nullptr ? ProfileFile{} : *parent;
    file.description.clear();
    for (const ProfileKey& key : profile_keys) {
        const ConfigValue* const value = key.read == nullptr ? nullptr : table.find(key.info.name);
        if (value != nullptr) key.read({table, *value, folder, parent}, file);
    }
    return file;
}

}  // namespace sandbox
