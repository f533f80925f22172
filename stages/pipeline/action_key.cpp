#include "stages/pipeline/action_key.hpp"

#include <algorithm>

#include "sandbox/os/sha256.hpp"
#include "stages/pipeline/stage_keys.hpp"

namespace stages {
namespace {

using sandbox::os::Json;

// To be raised when a stage of the same description would now give another result, or when a component
// changes its meaning: every key then changes, and every stage runs once more.
constexpr int key_format = 1;

std::vector<KeyPart> sorted_parts() {
    std::vector<KeyPart> parts;
    for (const StageKey& key : stage_keys()) {
        if (key.part.write != nullptr) parts.push_back(key.part);
    }
    std::ranges::sort(parts, {}, &KeyPart::place);
    return parts;
}

}  // namespace

Json key_components(const Stage& stage, const KeyMaterial& material) {
    static const std::vector<KeyPart> parts = sorted_parts();
    Json key = Json::object();
    key["format"] = key_format;
    key["architecture"] = needed(material.architecture, stage, "the architecture");
    for (const KeyPart& part : parts) part.write(key, stage, material);
    return key;
}

std::string action_key(const Json& components) {
    return sandbox::os::sha256_of(components.dump());
}

bool has_epoch(const Json& components) {
    return components.contains("env SOURCE_DATE_EPOCH");
}

}  // namespace stages
