#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <optional>

#include "sandbox/caps.hpp"
#include "sandbox/config_text.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/profile.hpp"

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

std::vector<RlimitValue> rlimits_of(const ConfigTable& table) {
    std::array<std::string_view, limit_names.size()> known;
    std::ranges::transform(limit_names, known.begin(), &LimitName::name);
    std::vector<RlimitValue> limits;
    for (const ConfigEntry& entry : table.entries()) {
        const auto* const it = std::ranges::find(limit_names, entry.key, &LimitName::name);
        if (it == limit_names.end()) throw table.unknown_key(entry, known);
        limits.push_back(rlimit_of(it->resource, entry.value));
    }
    return limits;
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

// Names are used to find files, so they cannot lead anywhere.
std::vector<std::string> filters_of(const ConfigValue& value) {
    if (value.as_array().empty()) throw value.error("there is no seccomp file", "name at least one");
    std::vector<std::string> names;
    for (const ConfigValue& element : value.as_array()) {
        const std::string& name = element.as_string();
        if (name.empty() || name.starts_with('/') || name.starts_with("../") ||
            name.find("/../") != std::string::npos) {
            throw element.error("this has to be a path below the profile's folder");
        }
        names.push_back(name);
    }
    return names;
}

}  // namespace

ProfileFile read_profile_file(const ConfigTable& table) {
    table.allow_only({"name", "description", "hostname", "seccomp", "capabilities", "rlimits", "read-only", "masked"});
    ProfileFile file;
    file.name = table.require("name").as_string();
    if (const ConfigValue* value = table.find("description")) file.description = value->as_string();
    if (const ConfigValue* value = table.find("hostname")) file.hostname = value->as_string();
    file.filters = filters_of(table.require("seccomp"));
    file.capabilities = capabilities_of(table.require("capabilities"));
    if (const ConfigValue* value = table.find("rlimits")) file.rlimits = rlimits_of(value->as_table());
    if (const ConfigValue* value = table.find("read-only")) file.read_only_paths = paths_of(*value);
    if (const ConfigValue* value = table.find("masked")) file.masked_paths = paths_of(*value);
    return file;
}

}  // namespace sandbox
