#include "stages/pipeline/stage_reader.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "sandbox/config/text.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/spec/limits_text.hpp"
#include "stages/pipeline/failure_options.hpp"
#include "stages/pipeline/service_options.hpp"
#include "stages/pipeline/stage_options.hpp"

namespace stages {
namespace {

using sandbox::ConfigEntry;
using sandbox::ConfigTable;
using sandbox::ConfigValue;
using sandbox::quote;
using sandbox::os::format;

constexpr std::array<std::string_view, 18> stage_keys = {
    "from",   "in",      "script", "run",      "out",    "env",      "network", "ids",     "profile",
    "limits", "devices", "needs",  "services", "errors", "optional", "retry",   "recover", "grace"};

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

}  // namespace

StageDefaults read_defaults(const ConfigTable& table, const Variables& variables) {
    table.allow_only({"network", "ids", "env", "profile", "limits", "errors", "retry", "grace", "on-disconnect"});
    StageDefaults defaults;
    for (const ConfigEntry& entry : table.entries()) read_shared_failure_key(entry, defaults.on_failure);
    if (const ConfigValue* network = table.find("network")) defaults.network = read_network(*network);
    if (const ConfigValue* ids = table.find("ids")) defaults.ids = read_ids(*ids);
    if (const ConfigValue* env = table.find("env")) read_env(env->as_table(), variables, defaults.env);
    if (const ConfigValue* profile = table.find("profile")) {
        defaults.profile = read_profile_name(*profile);
        defaults.profile_at = position_of(profile->at());
    }
    if (const ConfigValue* limits = table.find("limits")) sandbox::read_limits(limits->as_table(), defaults.limits);
    if (const ConfigValue* word = table.find("on-disconnect")) {
        const bool goes_on = word->as_one_of({"end", "continue"}) == "continue";
        defaults.on_disconnect = goes_on ? OnDisconnect::go_on : OnDisconnect::end;
    }
    return defaults;
}

ArtifactTree read_artifact(const ConfigValue& value, const std::string& text) {
    const Reference reference = parse_reference(text);
    if (!reference.fault.empty() || reference.artifact.empty()) {
        throw value.error(format("{} does not name an artifact", quote(text)), "write \"STAGE.ARTIFACT\"");
    }
    return {reference.stage, reference.artifact};
}

Stage StageReader::read(const ConfigTable& stages, const ConfigEntry& entry) const {
    check_name(stages, entry, "a stage");
    if (entry.key == "host" || entry.key == "empty") {
        throw stages.source().error(entry.key_at, format("a stage cannot be called {}", quote(entry.key)),
                                    "the word names a root, in \"from\"");
    }
    const ConfigTable& table = entry.value.as_table();
    Stage stage;
    stage.name = entry.key;
    stage.at = position_of(entry.key_at);
    stage.network = defaults_.network;
    stage.ids = defaults_.ids;
    stage.profile = defaults_.profile;
    stage.profile_at = defaults_.profile_at.line != 0 ? defaults_.profile_at : stage.at;
    stage.limits = defaults_.limits;
    stage.on_failure = defaults_.on_failure;
    stage.env.assign(defaults_.env.begin(), defaults_.env.end());
    for (const ConfigEntry& key : table.entries()) read_key(stage, table, key);

    const auto missing = [&](std::string message, std::string hint) {
        throw stages.source().error(entry.key_at, std::move(message), std::move(hint));
    };
    if (table.find("from") == nullptr) {
        missing(format("the stage {} does not say what it starts from", stage.name),
                "add from = \"host\", \"empty\", a stage, or a stage's artifact");
    }
    if (!stage.script && stage.run.empty()) {
        missing(format("the stage {} has nothing to do", stage.name),
                "add script = \"FILE\" or run = [\"PROGRAM\", \"ARGUMENT\"]");
    }
    if (!stage.needs.empty() && !std::holds_alternative<HostRoot>(stage.from)) {
        throw table.source().error(position_of(stage.needs.front().at),
                                   "\"needs\" names programs of the host, and this stage does not start from the host",
                                   "its programs are those of its root; leave \"needs\" out");
    }
    return stage;
}

void StageReader::read_key(Stage& stage, const ConfigTable& table, const ConfigEntry& entry) const {
    const std::string& key = entry.key;
    const ConfigValue& value = entry.value;
    if ((key == "script" && !stage.run.empty()) || (key == "run" && stage.script)) {
        throw table.source().error(entry.key_at, "a stage has either \"script\" or \"run\", not both",
                                   "keep the one that it is to do");
    }
    if (key == "from") {
        read_from(stage, value);
    } else if (key == "in") {
        read_inputs(stage, value.as_table());
    } else if (key == "script") {
        read_script(stage, value);
    } else if (key == "run") {
        read_run(stage, value);
    } else if (key == "out") {
        read_outputs(stage, value.as_table());
    } else if (key == "env") {
        std::map<std::string, std::string> env = defaults_.env;
        read_env(value.as_table(), variables_, env);
        stage.env.assign(env.begin(), env.end());
    } else if (key == "network") {
        stage.network = read_network(value);
    } else if (key == "ids") {
        stage.ids = read_ids(value);
    } else if (key == "limits") {
        sandbox::read_limits(value.as_table(), stage.limits);
    } else if (key == "profile") {
        stage.profile = read_profile_name(value);
        stage.profile_at = position_of(value.at());
    } else if (key == "devices") {
        stage.devices = read_devices(value);
    } else if (key == "needs") {
        stage.needs = read_needs(value.as_table());
    } else if (key == "services") {
        stage.services = read_services(value, variables_);
    } else if (!read_shared_failure_key(entry, stage.on_failure) &&
               !read_stage_failure_key(entry, variables_, stage.on_failure)) {
        throw table.unknown_key(entry, stage_keys);
    }
}

void StageReader::read_from(Stage& stage, const ConfigValue& value) const {
    const std::string text = expand(value, variables_);
    stage.from_at = position_of(value.at());
    if (text == "host") {
        stage.from = HostRoot{};
    } else if (text == "empty") {
        stage.from = EmptyRoot{};
    } else {
        Reference reference = parse_reference(text);
        if (!reference.fault.empty()) {
            throw value.error(format("{} is not a root", quote(text)),
                              text.find('/') != text.npos ? "files beside the pipeline are shown by \"in\"; a root is "
                                                            "\"host\", \"empty\", STAGE or STAGE.ARTIFACT"
                                                          : "a root is \"host\", \"empty\", STAGE or STAGE.ARTIFACT");
        }
        if (reference.artifact.empty()) {
            stage.from = StageTree{std::move(reference.stage)};
        } else {
            stage.from = ArtifactTree{std::move(reference.stage), std::move(reference.artifact)};
        }
    }
}

void StageReader::read_inputs(Stage& stage, const ConfigTable& table) const {
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
        stage.inputs.push_back({entry.key, read_input_source(entry.value), position_of(entry.value.at())});
    }
}

InputSource StageReader::read_input_source(const ConfigValue& value) const {
    const std::string text = expand(value, variables_);
    if (text.starts_with("./")) return read_local_input(value, text);
    if (text == "." || text == ".." || text.starts_with("../")) {
        throw value.error(format("the input {} is not inside the pipeline's directory", quote(text)),
                          "name a file or directory beside the pipeline file, as \"./NAME\"");
    }
    if (text.starts_with('/')) {
        throw value.error(format("the input {} is an absolute path", quote(text)),
                          "an input is STAGE, STAGE.ARTIFACT, or a path beside the pipeline file, as \"./NAME\"");
    }
    if (text == "host" || text == "empty") {
        throw value.error(format("{} is a root, not an input", quote(text)), "it may stand in \"from\"");
    }
    Reference reference = parse_reference(text);
    if (!reference.fault.empty()) {
        throw value.error(format("{} is neither a stage nor a stage's artifact", quote(text)), local_path_hint(text));
    }
    if (reference.artifact.empty()) return StageTree{std::move(reference.stage)};
    return ArtifactTree{std::move(reference.stage), std::move(reference.artifact)};
}

LocalPath StageReader::read_local_input(const ConfigValue& value, const std::string& text) const {
    std::string path = text.substr(2);
    if (path.empty()) {
        throw value.error("an input cannot be the whole of the pipeline's directory",
                          "name a file or directory in it: the stage then runs again only where that has changed");
    }
    if (const std::string fault = relative_path_fault(path); !fault.empty()) {
        throw value.error(format("the path {} {}", quote(text), fault),
                          "a local path is \"./\" and then names with one slash between them");
    }
    if (const std::string fault = files_.input_fault(path); !fault.empty()) {
        throw value.error(format("the input {} {}", quote(text), fault),
                          "local paths are looked for beside the pipeline file, and stay there");
    }
    return {std::move(path)};
}

void StageReader::read_script(Stage& stage, const ConfigValue& value) const {
    const std::string text = expand(value, variables_);
    std::string path = text.starts_with("./") ? text.substr(2) : text;
    if (const std::string fault = relative_path_fault(path); !fault.empty()) {
        throw value.error(format("the script's path {} {}", quote(text), fault),
                          "a script lies beside the pipeline file: \"build.sh\", \"scripts/build.sh\"");
    }
    if (const std::string fault = files_.script_fault(path); !fault.empty()) {
        throw value.error(format("the script {} {}", quote(text), fault),
                          "a script is a file beside the pipeline file that begins with a line such as #!/bin/sh");
    }
    stage.script = LocalPath{std::move(path)};
}

void StageReader::read_run(Stage& stage, const ConfigValue& value) const {
    if (value.is_string()) {
        throw value.error(
            format("{} must be an array of strings, but is {}", value.path(), value.found()),
            "run = [\"PROGRAM\", \"ARGUMENT\"]; no shell reads it, unless it is [\"sh\", \"-c\", \"...\"]");
    }
    for (const ConfigValue& element : value.as_array()) stage.run.push_back(expand(element, variables_));
    if (stage.run.empty() || stage.run.front().empty()) {
        throw value.error(format("{} names no program", value.path()), "run = [\"PROGRAM\", \"ARGUMENT\"]");
    }
}

void StageReader::read_outputs(Stage& stage, const ConfigTable& table) const {
    std::unordered_set<std::string> paths;
    for (const ConfigEntry& entry : table.entries()) {
        check_name(table, entry, "an artifact");
        const std::string path = expand(entry.value, variables_);
        if (const std::string fault = relative_path_fault(path); !fault.empty()) {
            throw entry.value.error(format("the artifact's path {} {}", quote(path), fault),
                                    "paths of artifacts are relative to /out: \"tree\" is /out/tree in the jail");
        }
        if (!paths.insert(path).second) {
            throw entry.value.error(format("{} is the path of another artifact already", quote(path)));
        }
        stage.outputs.push_back({entry.key, path, position_of(entry.key_at)});
    }
    for (std::size_t i = 0; i < stage.outputs.size(); ++i) {
        const std::string outer = enclosing(stage.outputs[i].path, paths);
        if (outer.empty()) continue;
        throw table.entries()[i].value.error(
            format("the artifact {} lies inside another, {}", quote(stage.outputs[i].path), quote(outer)),
            "an artifact is stored for itself; put them side by side in /out");
    }
}

std::string StageReader::local_path_hint(const std::string& text) const {
    if (text.find('/') != text.npos || files_.exists(text)) {
        return format("did you mean {}? a local path begins with \"./\"", quote("./" + text));
    }
    return "an input is STAGE, STAGE.ARTIFACT, or a local path that begins with \"./\"";
}

}  // namespace stages
