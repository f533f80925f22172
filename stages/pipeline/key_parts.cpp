#include "stages/pipeline/key_parts.hpp"

#include <algorithm>
#include <stdexcept>

#include "sandbox/config/keys.hpp"
#include "sandbox/os/format.hpp"
#include "stages/pipeline/stage_options.hpp"

namespace stages {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

constexpr const char* range_word = "range";
constexpr const char* single_word = "single, seen as root";

}  // namespace

const std::string& needed(const std::string& value, const Stage& stage, std::string_view what) {
    if (value.empty()) throw std::logic_error(format("the key of stage {} lacks {}", stage.name, what));
    return value;
}

void write_root(Json& key, const Stage& stage, const KeyMaterial& material) {
    if (std::holds_alternative<HostRoot>(stage.from)) {
        key["root"] = "host";
        key["host-packages"] = needed(material.host_packages, stage, "the state of the host's packages");
    } else if (std::holds_alternative<EmptyRoot>(stage.from)) {
        key["root"] = "empty";
    } else {
        key["root"] = needed(material.root, stage, "the digest of its root");
    }
}

void write_script(Json& key, const Stage& stage, const KeyMaterial& material) {
    if (stage.script) key["script"] = needed(material.script, stage, "the digest of its script");
}

void write_run(Json& key, const Stage& stage, const KeyMaterial&) {
    if (!stage.script) key["run"] = stage.run;
}

// What it does stays in the stage's layer, so it can change the result.
void write_recover(Json& key, const Stage& stage, const KeyMaterial&) {
    if (!stage.on_failure.recover.empty()) key["recover"] = stage.on_failure.recover;
}

void write_inputs(Json& key, const Stage& stage, const KeyMaterial& material) {
    std::map<std::string_view, std::string_view> sorted;
    for (const Input& input : stage.inputs) {
        const auto found = material.inputs.find(input.target);
        if (found == material.inputs.end()) {
            throw std::logic_error(format("the key of stage {} lacks {}", stage.name, input.target));
        }
        sorted[input.target] = needed(found->second, stage, input.target);
    }
    for (const auto& [target, digest] : sorted) key[format("input {}", target)] = digest;
}

void write_outputs(Json& key, const Stage& stage, const KeyMaterial&) {
    std::map<std::string_view, std::string_view> sorted;
    for (const Output& output : stage.outputs) sorted[output.name] = output.path;
    for (const auto& [name, path] : sorted) key[format("output {}", name)] = path;
}

void write_env(Json& key, const Stage& stage, const KeyMaterial&) {
    const std::map<std::string_view, std::string_view> sorted(stage.env.begin(), stage.env.end());
    for (const auto& [name, value] : sorted) key[format("env {}", name)] = value;
}

void write_profile(Json& key, const Stage& stage, const KeyMaterial& material) {
    key["profile"] = needed(material.profile, stage, "the digest of its profile");
}

void write_network(Json& key, const Stage& stage, const KeyMaterial&) {
    key["network"] = sandbox::word_for(stage.network, network_words);
}

void write_ids(Json& key, const Stage& stage, const KeyMaterial&) {
    key["ids"] = stage.ids == sandbox::IdMode::range ? range_word : single_word;
}

sandbox::IdMode ids_in(const Json& components) {
    return components.at("ids") == range_word ? sandbox::IdMode::range : sandbox::IdMode::single;
}

void write_devices(Json& key, const Stage& stage, const KeyMaterial&) {
    std::vector<std::string> devices = stage.devices;
    std::ranges::sort(devices);
    key["devices"] = devices;
}

}  // namespace stages
