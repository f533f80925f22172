#include "stages/pipeline/service_options.hpp"

#include <algorithm>

#include "sandbox/config/text.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace stages {
namespace {

using sandbox::ConfigTable;
using sandbox::ConfigValue;
using sandbox::quote;
using sandbox::Ready;
using sandbox::ReadyCheck;
using sandbox::Service;
using sandbox::os::format;

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

ReadyCheck read_ready(const ConfigValue& value, const Variables& variables) {
    const ConfigTable& table = value.as_table();
    table.allow_only({"tcp", "unix", "log", "command"});
    if (table.entries().size() != 1) {
        throw value.error(format("{} needs exactly one of \"tcp\", \"unix\", \"log\" and \"command\"", value.path()),
                          "ready = { tcp = 5432 }, { unix = \"/run/x.sock\" }, { log = \"ready\" } or { command = "
                          "[\"pg_isready\"] }");
    }
    const auto& entry = table.entries().front();
    if (entry.key == "tcp") return {Ready::tcp, read_port(entry.value), {}};
    if (entry.key == "unix") return {Ready::unix_socket, read_socket(entry.value, variables), {}};
    if (entry.key == "log") return {Ready::log, read_text(entry.value, variables), {}};
    return {Ready::command, {}, read_words(entry.value, variables)};
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

Service read_service(const ConfigValue& value, const Variables& variables, const std::vector<Service>& before) {
    const ConfigTable& table = value.as_table();
    table.allow_only({"name", "run", "ready", "timeout"});
    Service service;
    service.name = read_service_name(table.require("name"), before);
    service.run = read_words(table.require("run"), variables);
    if (const ConfigValue* ready = table.find("ready")) service.ready = read_ready(*ready, variables);
    if (const ConfigValue* timeout = table.find("timeout")) service.timeout = sandbox::read_duration(*timeout);
    return service;
}

}  // namespace

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
