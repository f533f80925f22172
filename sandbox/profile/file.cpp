#include "sandbox/profile/file.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "sandbox/config/text.hpp"
#include "sandbox/filter/compile.hpp"
#include "sandbox/os/caps.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/profile/permissions.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace sandbox {
namespace {

struct LimitName {
    std::string_view name;
    int resource;
};
// getrlimit(2), without the ones that mean nothing on Linux today.
constexpr std::array<LimitName, 14> limit_names = {{{"as", RLIMIT_AS},
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
    std::array<std::string_view, limit_names.size()> known;
    std::ranges::transform(limit_names, known.begin(), &LimitName::name);
    for (const ConfigEntry& entry : table.entries()) {
        const auto* const it = std::ranges::find(limit_names, entry.key, &LimitName::name);
        if (it == limit_names.end()) throw table.unknown_key(entry, known);
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
        if (which) {
            permissions.add(*which);
            continue;
        }
        std::vector<std::string_view> known;
        for (const PermissionWord& one : permission_words()) known.push_back(one.word);
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

// A list of the parent's: written anew under its own name, or changed by KEY-add and KEY-drop.
struct ListKeys {
    const ConfigValue* whole = nullptr;
    const ConfigValue* add = nullptr;
    const ConfigValue* drop = nullptr;
};

ListKeys list_keys(const ConfigTable& table, const std::string& key, const ProfileFile* parent) {
    const ListKeys keys = {table.find(key), table.find(key + "-add"), table.find(key + "-drop")};
    for (const ConfigValue* change : {keys.add, keys.drop}) {
        if (change == nullptr) continue;
        if (keys.whole != nullptr) {
            throw change->error(os::format("{} is already written as a whole in this file", quote(key)),
                                "keep the one or the other");
        }
        if (parent == nullptr) {
            throw change->error(os::format("there is no list {} to change: this profile extends none", quote(key)),
                                os::format("write {} = [...]", key));
        }
    }
    return keys;
}

void read_capabilities(const ListKeys& keys, std::uint64_t& mask) {
    if (keys.whole != nullptr) mask = capabilities_of(*keys.whole);
    if (keys.add != nullptr) mask |= capabilities_of(*keys.add);
    if (keys.drop != nullptr) mask &= ~capabilities_of(*keys.drop);
}

void read_allowed(const ListKeys& keys, Permissions& allowed) {
    if (keys.whole != nullptr) allowed = permissions_of(*keys.whole);
    const Permissions added = keys.add == nullptr ? Permissions{} : permissions_of(*keys.add);
    const Permissions dropped = keys.drop == nullptr ? Permissions{} : permissions_of(*keys.drop);
    for (const PermissionWord& one : permission_words()) {
        if (added.has(one.which)) allowed.add(one.which);
        if (dropped.has(one.which)) allowed.drop(one.which);
    }
}

void read_paths(const ListKeys& keys, std::vector<std::string>& paths) {
    if (keys.whole != nullptr) paths = paths_of(*keys.whole);
    if (keys.add != nullptr) {
        for (std::string& path : paths_of(*keys.add)) {
            if (std::ranges::find(paths, path) == paths.end()) paths.push_back(std::move(path));
        }
    }
    if (keys.drop == nullptr) return;
    for (const ConfigValue& element : keys.drop->as_array()) {
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
void read_calls(const ConfigTable& table, ProfileFile& file) {
    const ConfigValue* allow = table.find("seccomp-allow");
    const ConfigValue* deny = table.find("seccomp-deny");
    if (allow != nullptr) {
        for (const ConfigValue& element : allow->as_array()) {
            const std::optional<Permission> word = permission_of_call(element.as_string());
            if (!word) continue;
            throw element.error(
                os::format("{} loosens what isolates, and has a word of its own", element.as_string()),
                os::format("write allow-add = [\"{0}\"], or {0} into the list \"allow\"", word_of(*word)));
        }
        move_calls(calls_of(*allow), file.opened, file.closed);
    }
    if (deny == nullptr) return;
    const std::vector<std::string> denied = calls_of(*deny);
    if (allow != nullptr) {
        const std::vector<std::string> allowed = calls_of(*allow);
        for (std::size_t i = 0; i < denied.size(); ++i) {
            if (std::ranges::find(allowed, denied[i]) == allowed.end()) continue;
            throw deny->as_array()[i].error(os::format("{} is in seccomp-allow too", quote(denied[i])));
        }
    }
    move_calls(denied, file.closed, file.opened);
}

}  // namespace

ProfileFile read_profile_file(const ConfigTable& table, const std::optional<std::string>& folder,
                              const ProfileFile* parent) {
    table.allow_only({"name",          "description",   "extends",        "hostname",         "seccomp",
                      "seccomp-allow", "seccomp-deny",  "capabilities",   "capabilities-add", "capabilities-drop",
                      "allow",         "allow-add",     "allow-drop",     "rlimits",          "limits",
                      "read-only",     "read-only-add", "read-only-drop", "masked",           "masked-add",
                      "masked-drop"});
    ProfileFile file = parent == nullptr ? ProfileFile{} : *parent;
    file.name = table.require("name").as_string();
    file.description.clear();
    if (parent == nullptr) {
        static_cast<void>(table.require("seccomp"));
        static_cast<void>(table.require("capabilities"));
    }
    if (const ConfigValue* value = table.find("description")) file.description = value->as_string();
    if (const ConfigValue* value = table.find("hostname")) file.hostname = value->as_string();
    if (const ConfigValue* value = table.find("seccomp")) file.filters = filters_of(*value, folder);
    read_calls(table, file);
    read_capabilities(list_keys(table, "capabilities", parent), file.capabilities);
    read_allowed(list_keys(table, "allow", parent), file.allowed);
    if (const ConfigValue* value = table.find("rlimits")) read_rlimits(value->as_table(), file.rlimits);
    if (const ConfigValue* value = table.find("limits")) read_limits(value->as_table(), file.limits);
    read_paths(list_keys(table, "read-only", parent), file.read_only_paths);
    read_paths(list_keys(table, "masked", parent), file.masked_paths);
    return file;
}

}  // namespace sandbox
