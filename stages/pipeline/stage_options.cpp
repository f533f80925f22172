#include "stages/pipeline/stage_options.hpp"

#include <algorithm>
#include <map>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace stages {
namespace {

using sandbox::ConfigEntry;
using sandbox::ConfigTable;
using sandbox::ConfigValue;
using sandbox::os::format;
using sandbox::os::quote;

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_env_name(std::string_view name) {
    const bool clean = std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '_'; });
    return !name.empty() && clean && !(name.front() >= '0' && name.front() <= '9');
}

bool is_program(std::string_view name) {
    const auto allowed = [](char c) {
        return is_alphanumeric(c) || std::string_view("._+-[").find(c) != std::string_view::npos;
    };
    return !name.empty() && std::ranges::all_of(name, allowed) && name != "." && name != "..";
}

// The rule of Debian Policy, section 5.6.7.
bool is_package(std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    };
    return name.size() >= 2 && std::ranges::all_of(name, allowed) && is_alphanumeric(name.front());
}

}  // namespace

void refuse_second_command(const ConfigTable& table, const ConfigEntry& entry, bool is_second) {
    if (!is_second) return;
    throw table.source().error(entry.key_at, "a stage has either \"script\" or \"run\", not both",
                               "keep the one that it is to do");
}

LocalPath read_script(const ConfigValue& value, const Variables& variables, const LocalFiles& files) {
    const std::string text = expand(value, variables);
    std::string path = text.starts_with("./") ? text.substr(2) : text;
    if (const std::string fault = relative_path_fault(path); !fault.empty()) {
        throw value.error(format("the script's path {} {}", quote(text), fault),
                          "a script lies beside the pipeline file: \"build.sh\", \"scripts/build.sh\"");
    }
    if (const std::string fault = files.script_fault(path); !fault.empty()) {
        throw value.error(format("the script {} {}", quote(text), fault),
                          "a script is a file beside the pipeline file that begins with a line such as #!/bin/sh");
    }
    return {std::move(path)};
}

std::vector<std::string> read_run(const ConfigValue& value, const Variables& variables) {
    if (value.is_string()) {
        throw value.error(
            format("{} must be an array of strings, but is {}", value.path(), value.found()),
            "run = [\"PROGRAM\", \"ARGUMENT\"]; no shell reads it, unless it is [\"sh\", \"-c\", \"...\"]");
    }
    std::vector<std::string> run;
    for (const ConfigValue& element : value.as_array()) run.push_back(expand(element, variables));
    if (run.empty() || run.front().empty()) {
        throw value.error(format("{} names no program", value.path()), "run = [\"PROGRAM\", \"ARGUMENT\"]");
    }
    return run;
}

void read_env(const ConfigTable& table, const Variables& variables, Environment& env) {
    std::map<std::string, std::string> all(env.begin(), env.end());
    for (const ConfigEntry& entry : table.entries()) {
        if (!is_env_name(entry.key)) {
            throw table.source().error(entry.key_at,
                                       format("{} cannot be the name of an environment variable", quote(entry.key)),
                                       "letters, digits and underscores, not beginning with a digit");
        }
        all[entry.key] = expand(entry.value, variables);
    }
    env.assign(all.begin(), all.end());
}

std::string read_profile_name(const ConfigValue& value) {
    const std::string& text = value.as_string();
    const bool is_path = text.starts_with("./") && relative_path_fault(text.substr(2)).empty();
    const bool is_name = !text.empty() && text.front() != '.' && std::ranges::all_of(text, [](char c) {
        return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
    });
    if (!is_path && !is_name) {
        throw value.error(
            format("{} cannot be the name of a profile", quote(text)),
            "a profile is a name, as \"build\", or a file beside the pipeline file, as \"./profiles/mine.toml\"");
    }
    return text;
}

std::vector<std::string> read_devices(const ConfigValue& value) {
    std::vector<std::string> devices;
    for (const ConfigValue& element : value.as_array()) {
        if (element.is_string() && element.as_string() == "/dev/kvm") {
            throw element.error("a device is named without \"/dev/\"", "write \"kvm\"");
        }
        const std::string& device = element.as_one_of(device_names);
        if (std::ranges::find(devices, device) != devices.end()) {
            throw element.error(format("the device {} is there twice", quote(device)));
        }
        devices.push_back(device);
    }
    return devices;
}

std::vector<HostNeed> read_needs(const ConfigTable& table) {
    std::vector<HostNeed> needs;
    for (const ConfigEntry& entry : table.entries()) {
        const bool path = entry.key.starts_with('/') && relative_path_fault(entry.key.substr(1)).empty();
        if (!path && !is_program(entry.key)) {
            throw table.source().error(entry.key_at,
                                       format("{} is neither a program's name nor an absolute path", quote(entry.key)),
                                       "as in needs = { mksquashfs = \"squashfs-tools\" }");
        }
        const std::string& package = entry.value.as_string();
        if (!is_package(package)) {
            throw entry.value.error(format("{} cannot be the name of a Debian package", quote(package)),
                                    format("name the package that has {}", entry.key));
        }
        needs.push_back({entry.key, package, position_of(entry.key_at)});
    }
    return needs;
}

}  // namespace stages
