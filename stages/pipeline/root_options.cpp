#include "stages/pipeline/root_options.hpp"

#include <unordered_set>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace stages {
namespace {

using sandbox::ConfigEntry;
using sandbox::ConfigTable;
using sandbox::ConfigValue;
using sandbox::os::format;
using sandbox::os::quote;

// The path that `inner` lies in, of those in `all`; empty where there is none.
std::string enclosing(std::string_view inner, const std::unordered_set<std::string>& all) {
    for (std::size_t slash = inner.rfind('/'); slash != inner.npos && slash > 0; slash = inner.rfind('/', slash - 1)) {
        std::string outer(inner.substr(0, slash));
        if (all.contains(outer)) return outer;
    }
    return {};
}

// "stage" or "stage.artifact", with well-formed names; else the fault.
struct Reference {
    std::string stage;
    std::string artifact;
    std::string fault;
};

Reference parse_reference(std::string_view text) {
    const std::size_t dot = text.find('.');
    Reference reference{std::string(text.substr(0, dot)), {}, {}};
    reference.fault = name_fault(reference.stage);
    if (dot == text.npos || !reference.fault.empty()) return reference;
    reference.artifact = text.substr(dot + 1);
    reference.fault = name_fault(reference.artifact);
    return reference;
}

std::string local_path_hint(const std::string& text, const LocalFiles& files) {
    if (text.find('/') != text.npos || files.exists(text)) {
        return format("did you mean {}? a local path begins with \"./\"", quote("./" + text));
    }
    return "an input is STAGE, STAGE.ARTIFACT, or a local path that begins with \"./\"";
}

LocalPath read_local_input(const ConfigValue& value, const std::string& text, const LocalFiles& files) {
    std::string path = text.substr(2);
    if (path.empty()) {
        throw value.error("an input cannot be the whole of the project's directory",
                          "name a file or directory in it: the stage then runs again only where that has changed");
    }
    if (const std::string fault = relative_path_fault(path); !fault.empty()) {
        throw value.error(format("the path {} {}", quote(text), fault),
                          "a local path is \"./\" and then names with one slash between them");
    }
    if (const std::string fault = files.input_fault(path); !fault.empty()) {
        throw value.error(format("the input {} {}", quote(text), fault),
                          "inputs are looked for in the project's directory, that of the pipeline file or what "
                          "\"project\" says, and stay there");
    }
    return {std::move(path)};
}

InputSource read_input_source(const ConfigValue& value, const Variables& variables, const LocalFiles& files) {
    const std::string text = expand(value, variables);
    if (text.starts_with("./")) return read_local_input(value, text, files);
    if (text == "." || text == ".." || text.starts_with("../")) {
        throw value.error(
            format("the input {} is not inside the project's directory", quote(text)),
            "name a file or directory in it, as \"./NAME\"; project = \"..\" at the top of the file moves it up");
    }
    if (text.starts_with('/')) {
        throw value.error(format("the input {} is an absolute path", quote(text)),
                          "an input is STAGE, STAGE.ARTIFACT, or a path in the project's directory, as \"./NAME\"");
    }
    if (text == "host" || text == "empty") {
        throw value.error(format("{} is a root, not an input", quote(text)), "it may stand in \"from\"");
    }
    Reference reference = parse_reference(text);
    if (!reference.fault.empty()) {
        throw value.error(format("{} is neither a stage nor a stage's artifact", quote(text)),
                          local_path_hint(text, files));
    }
    if (reference.artifact.empty()) return StageTree{std::move(reference.stage)};
    return ArtifactTree{std::move(reference.stage), std::move(reference.artifact)};
}

}  // namespace

ArtifactTree read_artifact(const ConfigValue& value, const std::string& text) {
    const Reference reference = parse_reference(text);
    if (!reference.fault.empty() || reference.artifact.empty()) {
        throw value.error(format("{} does not name an artifact", quote(text)), "write \"STAGE.ARTIFACT\"");
    }
    return {reference.stage, reference.artifact};
}

Root read_root(const ConfigValue& value, const Variables& variables) {
    const std::string text = expand(value, variables);
    if (text == "host") return HostRoot{};
    if (text == "empty") return EmptyRoot{};
    Reference reference = parse_reference(text);
    if (!reference.fault.empty()) {
        throw value.error(format("{} is not a root", quote(text)),
                          text.find('/') != text.npos ? "files beside the pipeline are shown by \"in\"; a root is "
                                                        "\"host\", \"empty\", STAGE or STAGE.ARTIFACT"
                                                      : "a root is \"host\", \"empty\", STAGE or STAGE.ARTIFACT");
    }
    if (reference.artifact.empty()) return StageTree{std::move(reference.stage)};
    return ArtifactTree{std::move(reference.stage), std::move(reference.artifact)};
}

std::vector<Input> read_inputs(const ConfigTable& table, const Variables& variables, const LocalFiles& files) {
    std::vector<Input> inputs;
    std::unordered_set<std::string> targets;
    for (const ConfigEntry& entry : table.entries()) targets.insert(entry.key);
    for (const ConfigEntry& entry : table.entries()) {
        if (const std::string fault = target_fault(entry.key); !fault.empty()) {
            throw table.source().error(entry.key_at, format("the place of an input, {}, {}", quote(entry.key), fault));
        }
        if (const std::string outer = enclosing(entry.key, targets); !outer.empty()) {
            throw table.source().error(
                entry.key_at, format("the input {} lies inside the input {}", quote(entry.key), quote(outer)),
                "inputs are read-only, so no place can be made inside one; put them side by side");
        }
        inputs.push_back({entry.key, read_input_source(entry.value, variables, files), position_of(entry.value.at())});
    }
    return inputs;
}

std::vector<Output> read_outputs(const ConfigTable& table, const Variables& variables) {
    std::vector<Output> outputs;
    std::unordered_set<std::string> paths;
    for (const ConfigEntry& entry : table.entries()) {
        check_name(table, entry, "an artifact");
        const std::string path = expand(entry.value, variables);
        if (const std::string fault = relative_path_fault(path); !fault.empty()) {
            throw entry.value.error(format("the artifact's path {} {}", quote(path), fault),
                                    "paths of artifacts are relative to /out: \"tree\" is /out/tree in the jail");
        }
        if (!paths.insert(path).second) {
            throw entry.value.error(format("{} is the path of another artifact already", quote(path)));
        }
        outputs.push_back({entry.key, path, position_of(entry.key_at)});
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const std::string outer = enclosing(outputs[i].path, paths);
        if (outer.empty()) continue;
        throw table.entries()[i].value.error(
            format("the artifact {} lies inside another, {}", quote(outputs[i].path), quote(outer)),
            "an artifact is stored for itself; put them side by side in /out");
    }
    return outputs;
}

}  // namespace stages
