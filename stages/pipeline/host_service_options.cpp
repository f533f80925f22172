#include "stages/pipeline/host_service_options.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace stages {
namespace {

namespace shape = sandbox::shape;
using enum sandbox::Presence;
using sandbox::ConfigTable;
using sandbox::ConfigValue;
using sandbox::Effect;
using sandbox::KeyInfo;
using sandbox::os::format;
using sandbox::os::quote;

constexpr std::size_t longest_unit = 255;  // systemd.unit(5)
constexpr std::size_t most_units = 64;
constexpr std::string_view name_hint = "a unit's name with its type: \"postgresql.service\", \"docker.socket\"";
constexpr std::string_view types[] = {".service", ".socket"};
constexpr std::string_view other_types[] = {".target", ".mount", ".automount", ".swap",  ".timer",
                                            ".path",   ".slice", ".scope",     ".device"};

constexpr auto manager_words = std::to_array<sandbox::Word<HostService::Manager>>(
    {{"system", HostService::Manager::system}, {"user", HostService::Manager::user}});
constexpr auto manager_names = sandbox::words_in(manager_words);

// systemd.unit(5): "a string of ASCII letters, digits, ":", "-", "_", "." and "\"", and "@" in instances.
bool is_of_unit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(":-_.\\@").find(c) != std::string_view::npos;
}

std::string_view type_in(std::string_view name, std::span<const std::string_view> known) {
    const auto found = std::ranges::find_if(known, [&](std::string_view type) { return name.ends_with(type); });
    return found == known.end() ? std::string_view() : *found;
}

std::string read_unit(const ConfigValue& value, const Variables& variables) {
    std::string name = expand(value, variables);
    const auto refuse = [&](std::string_view fault, std::string hint = std::string(name_hint)) {
        throw value.error(format("{} cannot name a service of the host: {}", quote(name), fault), std::move(hint));
    };
    if (name.empty()) refuse("the name is empty");
    if (name.size() > longest_unit) refuse(format("the name is longer than {} characters", longest_unit));
    if (!std::ranges::all_of(name, is_of_unit)) {
        refuse("the name contains other characters than letters, digits and : - _ . \\ @");
    }
    const std::string_view type = type_in(name, types);
    if (type.empty()) {
        if (const std::string_view other = type_in(name, other_types); !other.empty()) {
            refuse(format("a unit of the type \"{}\" is not one that a build can require", other.substr(1)),
                   "require the services and sockets that it needs");
        }
        refuse("the name has no type", format("did you mean {}?", quote(name + ".service")));
    }
    const std::string_view stem = std::string_view(name).substr(0, name.size() - type.size());
    if (stem.empty() || stem.starts_with('.') || stem.starts_with('@')) refuse("nothing stands before its type");
    if (stem.ends_with('@')) {
        refuse("it is a template, and no instance of it is named",
               format("name one: {}", quote(format("{}INSTANCE{}", stem, type))));
    }
    return name;
}

struct HostServiceKey {
    KeyInfo info;
    void (*read)(const ConfigValue& value, const Variables& variables, HostService& service);
};

constexpr std::array host_service_keys = {
    HostServiceKey{{"name", shape::text, {}, required, Effect::none, "The unit, with its type"},
                   [](const ConfigValue& value, const Variables& variables, HostService& service) {
                       service.at = position_of(value.at());
                       service.unit = read_unit(value, variables);
                   }},
    HostServiceKey{{"allow-start", shape::truth, "false", optional, Effect::none, "Whether the build may start it"},
                   [](const ConfigValue& value, const Variables&, HostService& service) {
                       service.may_start = value.as_boolean();
                   }},
    HostServiceKey{{"manager", shape::one_of(manager_names), "\"system\"", optional, Effect::none, "Whose unit it is"},
                   [](const ConfigValue& value, const Variables&, HostService& service) {
                       service.manager = read_word(value, manager_words);
                   }},
    HostServiceKey{
        {"timeout", sandbox::duration_shape, "\"30s\"", optional, Effect::none, "How long it may take to be active"},
        [](const ConfigValue& value, const Variables&, HostService& service) {
            service.timeout = sandbox::read_duration(value);
        }},
};
static_assert(std::ranges::all_of(host_service_keys, sandbox::is_complete, &HostServiceKey::info));

HostService read_host_service(const ConfigValue& value, const Variables& variables) {
    HostService service;
    if (value.is_string()) {
        host_service_keys.front().read(value, variables, service);
        return service;
    }
    if (!value.is_table()) {
        throw value.error(format("{} must be a unit's name or a table, but is {}", value.path(), value.found()),
                          "\"postgresql.service\", or { name = \"postgresql.service\", allow-start = true }");
    }
    const ConfigTable& table = value.as_table();
    sandbox::for_each_key(table, host_service_keys, [&](const HostServiceKey& key, const sandbox::ConfigEntry& entry) {
        key.read(entry.value, variables, service);
    });
    sandbox::require_keys(table, host_service_keys);
    return service;
}

}  // namespace

std::vector<KeyInfo> host_service_infos() {
    return sandbox::infos_of(host_service_keys);
}

std::vector<HostService> read_host_services(const ConfigValue& value, const Variables& variables) {
    std::vector<HostService> services;
    if (!value.is_array()) {
        throw value.error(format("{} must be an array, but is {}", value.path(), value.found()),
                          "requires-services = [\"postgresql.service\"]");
    }
    for (const ConfigValue& element : value.as_array()) {
        HostService service = read_host_service(element, variables);
        const auto is_same = [&](const HostService& other) {
            return other.unit == service.unit && other.manager == service.manager;
        };
        if (std::ranges::any_of(services, is_same)) {
            throw element.error(format("the service {} is there twice", quote(service.unit)));
        }
        services.push_back(std::move(service));
    }
    if (services.size() > most_units) {
        throw value.error(
            format("{} has {} services; a pipeline can have {}", value.path(), services.size(), most_units));
    }
    return services;
}

}  // namespace stages
