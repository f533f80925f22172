#include "runtime/engine/resolve_stage.hpp"

#include <fcntl.h>
#include <sys/utsname.h>

#include "runtime/engine/input_digest.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sha256.hpp"
#include "stages/pipeline/action_key.hpp"
#include "stages/pipeline/pipeline_file.hpp"
#include "stages/pipeline/words.hpp"
#include "stages/roots/host_root.hpp"

namespace runtime::engine {

using sandbox::os::format;
using stages::kinds::FileType;

namespace {

FileType type_of(const store::Object& object) {
    return object.is_directory ? FileType::directory : FileType::file;
}

// What is longer is no text that anybody reads for what has changed in it; and a record, which is JSON, holds UTF-8 only.
void keep_text(Resolved& resolved, const char* component, const std::string& text) {
    constexpr std::size_t longest = 65536;
    if (text.size() <= longest && stages::is_text(text)) resolved.texts[component] = text;
}

std::string machine() {
    utsname name{};
    ::uname(&name);
    return name.machine;
}

}  // namespace

std::string tree_digest(const std::string& root, const std::string& layer) {
    return sandbox::os::sha256_of(format("tree\n{}\n{}\n", root, layer));
}

Resolver::Resolver(const stages::Pipeline& pipeline, const store::Store& store, Profiles& profiles)
    : pipeline_(pipeline), store_(store), profiles_(profiles) {}

const std::string& Resolver::host_packages() {
    if (host_packages_.empty()) host_packages_ = stages::host_packages_digest();
    return host_packages_;
}

std::string Resolver::artifact_place(const stages::ArtifactTree& artifact, const StageResult& result) const {
    if (result.is_built) return store_.artifact_path(result.record.artifacts.at(artifact.artifact).id);
    return format("{}/artifacts/{}.{}-not-built-yet/data", store_.path(), artifact.stage, artifact.artifact);
}

void Resolver::resolve_root(const stages::Stage& stage, const Results& results, Resolved& resolved) {
    if (const auto* tree = std::get_if<stages::StageTree>(&stage.from)) {
        const StageResult& result = results.at(tree->stage);
        resolved.root = result.layers;
        resolved.root_tree = result.record.tree;
    } else if (const auto* artifact = std::get_if<stages::ArtifactTree>(&stage.from)) {
        const StageResult& result = results.at(artifact->stage);
        const store::Object& object = result.record.artifacts.at(artifact->artifact);
        if (!object.is_directory) {
            throw stages::error_at(
                pipeline_, stage.from_at,
                format("{}.{} is a file, and a root is a directory", artifact->stage, artifact->artifact));
        }
        resolved.root = {artifact_place(*artifact, result)};
        resolved.root_tree = object.id.text();
    }
}

std::string Resolver::resolve_input(const stages::Stage& stage, const stages::Input& input, const Results& results,
                                    Resolved& resolved) {
    if (const auto* tree = std::get_if<stages::StageTree>(&input.source)) {
        const StageResult& result = results.at(tree->stage);
        resolved.inputs.push_back({input.target, result.layers, FileType::directory});
        return result.record.tree;
    }
    if (const auto* artifact = std::get_if<stages::ArtifactTree>(&input.source)) {
        const StageResult& result = results.at(artifact->stage);
        const store::Object& object = result.record.artifacts.at(artifact->artifact);
        resolved.inputs.push_back({input.target, {artifact_place(*artifact, result)}, type_of(object)});
        return object.id.text();
    }
    const std::string& path = std::get<stages::LocalPath>(input.source).path;
    const store::TreeFacts& facts = local_facts(path);
    const sandbox::os::Digest id = store::object_id(stage.ids, facts.digest);
    resolved.local_inputs.push_back({pipeline_.project + "/" + path, id});
    resolved.inputs.push_back(
        {input.target, {store_.artifact_path(id)}, facts.is_directory ? FileType::directory : FileType::file});
    return facts.digest;
}

const store::TreeFacts& Resolver::local_facts(const std::string& path) {
    const auto known = local_facts_.find(path);
    if (known != local_facts_.end()) return known->second;
    return local_facts_[path] = digest_input(pipeline_.project, path, ending_ ? &*ending_ : nullptr);
}

Resolved Resolver::resolve(const stages::Stage& stage, const Results& results) {
    Resolved resolved;
    stages::KeyMaterial material;
    resolve_root(stage, results, resolved);
    material.root = resolved.root_tree;
    for (const stages::Input& input : stage.inputs) {
        material.inputs[input.target] = resolve_input(stage, input, results, resolved);
    }
    if (stage.script) {
        const sandbox::os::Fd directory = sandbox::os::open_directory(AT_FDCWD, pipeline_.directory);
        resolved.script = sandbox::os::read_file(directory.get(), stage.script->path);
        material.script = sandbox::os::sha256_of(resolved.script);
        keep_text(resolved, "script", resolved.script);
    }
    const std::string profile = profiles_.material_of(stage);
    material.profile = sandbox::os::sha256_of(profile);
    keep_text(resolved, "profile", profile);
    material.architecture = machine();
    if (std::holds_alternative<stages::HostRoot>(stage.from)) material.host_packages = host_packages();
    resolved.components = stages::key_components(stage, material);
    resolved.key = stages::action_key(resolved.components);
    try {
        resolved.epoch = stages::kinds::epoch_of(stage);
    } catch (const std::invalid_argument& error) {
        throw stages::error_at(pipeline_, stage.at, error.what());
    }
    return resolved;
}

std::vector<std::string> Resolver::layers_of(const store::Record& record, const Resolved& resolved) const {
    if (!record.layer) return {};
    std::vector<std::string> layers = resolved.root;
    layers.insert(layers.begin(), store_.layer_path(record.layer->id));
    return layers;
}

}  // namespace runtime::engine
