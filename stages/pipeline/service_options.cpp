#include "stages/pipeline/service_options.hpp"

#include <algorithm>
#include <array>

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
using sandbox::Ready;
using sandbox::ReadyCheck;
using sandbox::Service;
using sandbox::os::format;
using sandbox::os::Json;
using sandbox::os::quote;

constexpr std::size_t longest_socket_path = 107;  // unix(7)
constexpr std::size_t longest_text = 1024;        // of a log, to be looked for

std::vector<std::string> read_words(const ConfigValue& value, const Variables& variables) {
    std::vector<std::string> words;
    for (const ConfigValue& element : value.as_array()) words.push_back(expand(element, variables));
    if (!words.empty() && !words.front().empty()) return words;
    throw value.error(format("{} names no program", value.path()), "[\"PROGRAM\", \"ARGUMENT\"]");
}

std::string read_port(const ConfigValue& value) {
    const std::int64_t port = value.as_integer();
    if (port >= 1 && port <= 65535) return format("{}", port);
    throw value.error(format("{} must be a port, from 1 to 65535, but is {}", value.path(), value.found()));
}

std::string read_socket(const ConfigValue& value, const Variables& variables) {
    std::string path = expand(value, variables);
    if (path.starts_with('/') && path.size() <= longest_socket_path) return path;
    throw value.error(format("{} cannot be the path of a socket", quote(path)),
                      format("an absolute path in the stage's root, of at most {} bytes", longest_socket_path));
}

std::string read_text(const ConfigValue& value, const Variables& variables) {
    std::string text = expand(value, variables);
    if (!text.empty() && text.size() <= longest_text) return text;
    throw value.error(format("{} must have 1 to {} bytes", value.path(), longest_text),
                      "a part of the line that the service writes when it is ready");
}

struct ReadyKey {
    KeyInfo info;
    ReadyCheck (*read)(const ConfigValue& value, const Variables& variables);
};

constexpr std::array ready_keys = {
    ReadyKey{{"tcp",
              shape::whole_from(1, 65535),
              {},
              optional,
              Effect::on_result,
              "Ready when this port of the jail's loopback device takes a connection"},
             [](const ConfigValue& value, const Variables&) -> ReadyCheck {
                 return {Ready::tcp, read_port(value), {}};
             }},
    ReadyKey{{"unix", shape::text, {}, optional, Effect::on_result, "Ready when this socket takes a connection"},
             [](const ConfigValue& value, const Variables& variables) -> ReadyCheck {
                 return {Ready::unix_socket, read_socket(value, variables), {}};
             }},
    ReadyKey{{"log", shape::text, {}, optional, Effect::on_result, "Ready when its output has this in it"},
             [](const ConfigValue& value, const Variables& variables) -> ReadyCheck {
                 return {Ready::log, read_text(value, variables), {}};
             }},
    ReadyKey{{"command", shape::list_of_texts, {}, optional, Effect::on_result, "Ready when this command ends with 0"},
             [](const ConfigValue& value, const Variables& variables) -> ReadyCheck {
                 return {Ready::command, {}, read_words(value, variables)};
             }},
};
constexpr std::array ready_names = sandbox::names_in(ready_keys);
static_assert(std::ranges::all_of(ready_keys, sandbox::is_complete, &ReadyKey::info));

std::vector<KeyInfo> ready_infos() {
    return sandbox::infos_of(ready_keys);
}

ReadyCheck read_ready(const ConfigValue& value, const Variables& variables) {
    ReadyCheck ready;
    const ConfigTable& table = value.as_table();
    sandbox::for_each_key(table, ready_keys, [&](const ReadyKey& key, const sandbox::ConfigEntry& entry) {
        ready = key.read(entry.value, variables);
    });
    if (table.entries().size() == 1) return ready;
    throw value.error(format("{} needs exactly one of \"tcp\", \"unix\", \"log\" and \"command\"", value.path()),
                      "ready = { tcp = 5432 }, { unix = \"/run/x.sock\" }, { log = \"ready\" } or { command = "
                      "[\"pg_isready\"] }");
}

std::string read_service_name(const ConfigValue& value, const std::vector<Service>& before) {
    const std::string& name = value.as_string();
    if (const std::string fault = name_fault(name); !fault.empty()) {
        throw value.error(format("a service cannot be called {}: the name {}", quote(name), fault),
                          "a name is a lower-case letter and then lower-case letters, digits and dashes");
    }
    if (std::ranges::find(before, name, &Service::name) != before.end()) {
        throw value.error(format("the service {} is there twice", quote(name)));
    }
    return name;
}

struct ServiceEntry {
    const ConfigValue& value;
    const Variables& variables;
    const std::vector<Service>& before;
};

// The parts that a key adds to the action key of the stage come service by service, in the order of the rows.
struct ServiceKey {
    KeyInfo info;
    void (*read)(const ServiceEntry& entry, Service& service);
    void (*write)(Json& key, const Service& service) = nullptr;
};

void write_ready(Json& key, const Service& service) {
    if (service.ready.kind == Ready::at_once) return;
    Json ready = Json::array({std::string(1, static_cast<char>(service.ready.kind)), service.ready.value});
    for (const std::string& word : service.ready.command) ready.push_back(word);
    key[format("readiness of {}", service.name)] = std::move(ready);
}

constexpr std::array service_keys = {
    ServiceKey{{"name", shape::text_like(name_pattern), {}, required, Effect::on_result, "What it is called"},
               [](const ServiceEntry& e, Service& service) { service.name = read_service_name(e.value, e.before); },
               [](Json& key, const Service& service) { key["services"].push_back(service.name); }},
    ServiceKey{{"run", shape::list_of_texts, {}, required, Effect::on_result, "The program and its arguments"},
               [](const ServiceEntry& e, Service& service) { service.run = read_words(e.value, e.variables); },
               [](Json& key, const Service& service) { key[format("service {}", service.name)] = service.run; }},
    ServiceKey{{"ready",
                shape::table_of(ready_infos, ready_names),
                {},
                optional,
                Effect::on_result,
                "How it shows that it is ready"},
               [](const ServiceEntry& e, Service& service) { service.ready = read_ready(e.value, e.variables); },
               write_ready},
    ServiceKey{{"timeout", sandbox::duration_shape, "\"30s\"", optional, Effect::none, "How long that may take"},
               [](const ServiceEntry& e, Service& service) { service.timeout = sandbox::read_duration(e.value); }},
};

constexpr bool is_decided_service(const ServiceKey& key) {
    return is_complete(key.info) && (key.write != nullptr) == (key.info.effect == Effect::on_result);
}
static_assert(std::ranges::all_of(service_keys, is_decided_service));

Service read_service(const ConfigValue& value, const Variables& variables, const std::vector<Service>& before) {
    const ConfigTable& table = value.as_table();
    Service service;
    sandbox::for_each_key(table, service_keys, [&](const ServiceKey& key, const sandbox::ConfigEntry& entry) {
        key.read({entry.value, variables, before}, service);
    });
    sandbox::require_keys(table, service_keys);
    return service;
}

}  // namespace

std::vector<KeyInfo> service_infos() {
    return sandbox::infos_of(service_keys);
}

void write_services(Json& key, const Stage& stage, const KeyMaterial&) {
    if (stage.services.empty()) return;
    key["services"] = Json::array();
    for (const Service& service : stage.services) {
        for (const ServiceKey& row : service_keys) {
            if (row.write != nullptr) row.write(key, service);
        }
    }
}

std::vector<Service> read_services(const ConfigValue& value, const Variables& variables) {
    std::vector<Service> services;
    for (const ConfigValue& element : value.as_array()) {
        services.push_back(read_service(element, variables, services));
    }
    if (services.size() > sandbox::most_services) {
        throw value.error(
            format("{} has {} services; a stage can have {}", value.path(), services.size(), sandbox::most_services));
    }
    return services;
}

}  // namespace stages
