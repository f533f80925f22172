#include "stages/pipeline/action_key.hpp"

#include <algorithm>
#include <stdexcept>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sha256.hpp"

namespace stages {
namespace {

using sandbox::os::Json;

// To be raised when a stage of the same description would now give another result, or when a component
// changes its meaning: every key then changes, and every stage runs once more.
constexpr int key_format = 1;

constexpr const char* range_word = "range";
constexpr const char* single_word = "single, seen as root";

const std::string& needed(const std::string& value, const Stage& stage, std::string_view what) {
    if (value.empty()) {
        throw std::logic_error(sandbox::os::format("the key of stage {} lacks {}", stage.name, what));
    }
    return value;
}

void add_root(Json& key, const Stage& stage, const KeyMaterial& material) {
    if (std::holds_alternative<HostRoot>(stage.from)) {
        key["root"] = "host";
        key["host-packages"] = needed(material.host_packages, stage, "the state of the host's packages");
    } else if (std::holds_alternative<EmptyRoot>(stage.from)) {
        key["root"] = "empty";
    } else {
        key["root"] = needed(material.root, stage, "the digest of its root");
    }
}

void add_command(Json& key, const Stage& stage, const KeyMaterial& material) {
    if (stage.script) {
        key["script"] = needed(material.script, stage, "the digest of its script");
    } else {
        key["run"] = stage.run;
    }
    // What it does stays in the stage's layer, so it can change the result.
    if (!stage.on_failure.recover.empty()) key["recover"] = stage.on_failure.recover;
}

// How long they may take is not in it, as no limit is.
void add_services(Json& key, const Stage& stage) {
    if (stage.services.empty()) return;
    key["services"] = Json::array();
    for (const sandbox::Service& service : stage.services) {
        key["services"].push_back(service.name);
        key[sandbox::os::format("service {}", service.name)] = service.run;
        if (service.ready.kind == sandbox::Ready::at_once) continue;
        Json ready = Json::array({std::string(1, static_cast<char>(service.ready.kind)), service.ready.value});
        for (const std::string& word : service.ready.command) ready.push_back(word);
        key[sandbox::os::format("readiness of {}", service.name)] = std::move(ready);
    }
}

void add_inputs(Json& key, const Stage& stage, const KeyMaterial& material) {
    std::map<std::string_view, std::string_view> sorted;
    for (const Input& input : stage.inputs) {
        const auto found = material.inputs.find(input.target);
        if (found == material.inputs.end()) {
            throw std::logic_error(sandbox::os::format("the key of stage {} lacks {}", stage.name, input.target));
        }
        sorted[input.target] = needed(found->second, stage, input.target);
    }
    for (const auto& [target, digest] : sorted) key[sandbox::os::format("input {}", target)] = digest;
}

void add_outputs(Json& key, const Stage& stage) {
    std::map<std::string_view, std::string_view> sorted;
    for (const Output& output : stage.outputs) sorted[output.name] = output.path;
    for (const auto& [name, path] : sorted) key[sandbox::os::format("output {}", name)] = path;
}

void add_environment(Json& key, const Stage& stage) {
    const std::map<std::string_view, std::string_view> sorted(stage.env.begin(), stage.env.end());
    for (const auto& [name, value] : sorted) key[sandbox::os::format("env {}", name)] = value;
}

const char* word_for(sandbox::Network network) {
    switch (network) {
        case sandbox::Network::user: return "user";
        case sandbox::Network::host: return "host";
        case sandbox::Network::none: break;
    }
    return "none";
}

void add_allowed(Json& key, const Stage& stage, const KeyMaterial& material) {
    key["profile"] = needed(material.profile, stage, "the digest of its profile");
    key["network"] = word_for(stage.network);
    key["ids"] = stage.ids == sandbox::IdMode::range ? range_word : single_word;
    std::vector<std::string> devices = stage.devices;
    std::ranges::sort(devices);
    key["devices"] = devices;
}

}  // namespace

Json key_components(const Stage& stage, const KeyMaterial& material) {
    Json key = Json::object();
    key["format"] = key_format;
    key["architecture"] = needed(material.architecture, stage, "the architecture");
    add_root(key, stage, material);
    add_command(key, stage, material);
    add_services(key, stage);
    add_inputs(key, stage, material);
    add_outputs(key, stage);
    add_environment(key, stage);
    add_allowed(key, stage, material);
    return key;
}

std::string action_key(const Json& components) {
    return sandbox::os::sha256_of(components.dump());
}

sandbox::IdMode ids_in(const Json& components) {
    return components.at("ids") == range_word ? sandbox::IdMode::range : sandbox::IdMode::single;
}

bool has_epoch(const Json& components) {
    return components.contains("env SOURCE_DATE_EPOCH");
}

}  // namespace stages
