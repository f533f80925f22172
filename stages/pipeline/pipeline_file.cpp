#include "stages/pipeline/pipeline_file.hpp"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"
#include "stages/pipeline/host_service_options.hpp"
#include "stages/pipeline/local_files.hpp"
#include "stages/pipeline/place.hpp"
#include "stages/pipeline/problems.hpp"
#include "stages/pipeline/references.hpp"
#include "stages/pipeline/root_options.hpp"
#include "stages/pipeline/stage_keys.hpp"
#include "stages/pipeline/stage_reader.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {
namespace {

namespace shape = sandbox::shape;
using enum sandbox::Presence;
using sandbox::ConfigEntry;
using sandbox::ConfigError;
using sandbox::ConfigTable;
using sandbox::ConfigValue;
using sandbox::Effect;
using sandbox::Shape;
using sandbox::os::format;
using sandbox::os::quote;

constexpr std::int64_t file_version = 1;

// Absolute and without links, so that what is resolved below it does not depend on where the program stands.
std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == path.npos ? "." : path.substr(0, slash + 1);
    const std::unique_ptr<char, decltype(&std::free)> real(
        sandbox::os::sys([&] { return ::realpath(parent.c_str(), nullptr); }, "find the directory of {}", path),
        &std::free);
    return real.get();
}

void check_names(const ConfigTable& top);

void check_version(const ConfigTable& top) {
    const ConfigValue* version = top.find("version");
    if (version == nullptr) {
        check_names(top);  // it may be there under a misspelt name
        throw top.source().error({1, 1}, "the file does not say which version of the format it is written in",
                                 "begin it with version = 1");
    }
    if (version->as_integer() != file_version) {
        throw version->error(format("version {} of the format is not known to this program", version->as_integer()),
                             "this program reads version 1");
    }
}

Variables read_variables(const ConfigTable& top, const Overrides& overrides) {
    Variables variables;
    std::vector<std::string_view> names;
    if (const ConfigValue* vars = top.find("vars")) {
        const ConfigTable& table = vars->as_table();
        for (const ConfigEntry& entry : table.entries()) {
            check_name(table, entry, "a variable");
            const std::string& value = entry.value.as_string();
            if (value.find("${") != value.npos) {
                throw entry.value.error("variables are not replaced inside variables", "write the value out");
            }
            if (!is_text(value)) throw entry.value.error(format("{} contains a NUL character", entry.value.path()));
            variables.emplace(entry.key, value);
            names.push_back(entry.key);
        }
    }
    for (const auto& [name, value] : overrides) {
        const auto variable = variables.find(name);
        const std::string option = format("--var {}={}", name, value);
        if (variable == variables.end()) {
            throw ConfigError(top.source().name(), {}, format("{}: no variable is called so in [vars]", quote(option)),
                              sandbox::os::did_you_mean(name, names));
        }
        if (!is_text(value)) {
            throw ConfigError(top.source().name(), {}, format("{}: the value is not UTF-8 text", quote(option)));
        }
        variable->second = value;
    }
    return variables;
}

void set_project(const ConfigTable& top, Pipeline& pipeline) {
    const ConfigValue* const value = top.find("project");
    Project project{pipeline.directory};
    if (value != nullptr) project = read_project(*value, pipeline.directory);
    pipeline.project = std::move(project.directory);
    pipeline.is_project_outside = project.is_outside;
}

std::string read_name(const ConfigValue& value) {
    const std::string fault = name_fault(value.as_string());
    if (fault.empty()) return value.as_string();
    throw value.error(format("a pipeline cannot be called {}: the name {}", quote(value.as_string()), fault),
                      "a name is a lower-case letter and then lower-case letters, digits and dashes");
}

// What the keys at the top of the file are read with and into.
struct Reading {
    const Variables& variables;
    const ProjectFiles& files;
    Problems& problems;
    Defaults& defaults;
    Pipeline& pipeline;
};

void read_stages(const ConfigTable& table, Reading& reading) {
    std::vector<Stage>& stages = reading.pipeline.stages;
    stages.reserve(table.entries().size());
    for (const ConfigEntry& entry : table.entries()) {
        reading.problems.attempt(
            [&] { stages.push_back(read_stage(table, entry, reading.defaults, reading.variables, reading.files)); });
    }
}

void read_results(const ConfigTable& table, Reading& reading) {
    for (const ConfigEntry& entry : table.entries()) {
        reading.problems.attempt([&] {
            check_name(table, entry, "a result");
            ArtifactTree artifact = read_artifact(entry.value, expand(entry.value, reading.variables));
            reading.pipeline.results.push_back(
                {entry.key, std::move(artifact.stage), std::move(artifact.artifact), position_of(entry.value.at())});
        });
    }
}

constexpr std::string_view project_pattern = R"(^\.\.(/\.\.)*$)";
constexpr std::array<std::string_view, 2> commands = {"script", "run"};
constexpr Shape named_texts{.kind = Shape::Kind::names, .pattern = name_pattern, .of = &shape::text};
constexpr Shape stage_shape = shape::table_of(stage_infos, commands);
constexpr Shape stages_shape{.kind = Shape::Kind::names, .pattern = stage_name_pattern, .of = &stage_shape};
constexpr Shape host_service_table = shape::table_of(host_service_infos);
constexpr Shape host_service_shape = shape::either(shape::text, host_service_table);

struct TopKey {
    sandbox::KeyInfo info;
    void (*read)(const ConfigValue& value, Reading& reading);  // nullptr: what the rest is read with, read before it
};

// In the order in which they are read: what [defaults] says, the stages begin with.
constexpr std::array top_keys = {
    TopKey{{"version",
            shape::whole_from(file_version, file_version),
            {},
            required,
            Effect::none,
            "The version of this format"},
           nullptr},
    TopKey{{"name", shape::text_like(name_pattern), {}, required, Effect::none, "The name of the pipeline"},
           [](const ConfigValue& value, Reading& reading) { reading.pipeline.name = read_name(value); }},
    TopKey{{"project",
            shape::text_like(project_pattern),
            {},
            optional,
            Effect::none,
            "The directory that inputs come from, where it is above that of the file"},
           nullptr},
    TopKey{{"vars", named_texts, {}, optional, Effect::none, "Variables, with their values"}, nullptr},
    TopKey{{"defaults",
            shape::table_of(default_infos),
            {},
            optional,
            Effect::of_its_keys,
            "What holds for every stage that does not say otherwise"},
           [](const ConfigValue& value, Reading& reading) {
               reading.defaults = read_defaults(value.as_table(), reading.variables, reading.files);
               reading.pipeline.on_disconnect = reading.defaults.on_disconnect;
           }},
    TopKey{{"requires-services",
            shape::list_of(host_service_shape),
            {},
            optional,
            Effect::none,
            "Services of the host that the build needs active"},
           [](const ConfigValue& value, Reading& reading) {
               reading.pipeline.host_services = read_host_services(value, reading.variables);
           }},
    TopKey{{"stage", stages_shape, {}, required, Effect::of_its_keys, "A stage, by its name"},
           [](const ConfigValue& value, Reading& reading) { read_stages(value.as_table(), reading); }},
    TopKey{{"result", named_texts, {}, optional, Effect::none, "What the build hands out: a name, STAGE.ARTIFACT"},
           [](const ConfigValue& value, Reading& reading) { read_results(value.as_table(), reading); }},
};
static_assert(std::ranges::all_of(top_keys, sandbox::is_complete, &TopKey::info));

void check_names(const ConfigTable& top) {
    sandbox::for_each_key(top, top_keys, [](const TopKey&, const ConfigEntry&) {});
}

// Everything but what stages say about each other.
void read_values(const ConfigTable& top, const Variables& variables, const ProjectFiles& files, Pipeline& pipeline) {
    Problems problems;
    Defaults defaults;
    Reading reading{variables, files, problems, defaults, pipeline};
    problems.attempt([&] { check_names(top); });
    for (const TopKey& key : top_keys) {
        const ConfigValue* const value = key.read == nullptr ? nullptr : top.find(key.info.name);
        if (value != nullptr) problems.attempt([&] { key.read(*value, reading); });
    }
    problems.raise();
    // Last, because what is missing may be there under a misspelt name.
    if (pipeline.name.empty()) {
        throw top.source().error({1, 1}, "the pipeline has no name", "add name = \"NAME\" below the version");
    }
    if (pipeline.stages.empty()) {
        throw top.source().error({1, 1}, "the pipeline has no stage", "[stage.NAME] begins one");
    }
}

}  // namespace

std::vector<sandbox::KeyInfo> top_infos() {
    return sandbox::infos_of(top_keys);
}

Pipeline read_pipeline(const std::string& path, const Overrides& overrides, const std::string& name) {
    if (sandbox::os::try_sys([&] { return ::access(path.c_str(), F_OK); }) == -ENOENT) {
        throw ConfigError(name, {}, "there is no such file",
                          "-f names another one; stagebox import drafts one from a build script");
    }
    const ConfigTable top = sandbox::read_config(path, name);
    Pipeline pipeline;
    pipeline.file = name;
    pipeline.directory = directory_of(path);

    // What the rest is read with comes first: a fault in it would show as faults of other places.
    check_version(top);
    const Variables variables = read_variables(top, overrides);
    set_project(top, pipeline);

    const ProjectFiles files{LocalFiles(pipeline.directory), LocalFiles(pipeline.project, "the project's directory")};
    read_values(top, variables, files, pipeline);
    check_references(pipeline, top.source(), files.beside);
    return pipeline;
}

Pipeline read_pipeline(const std::string& path, const Overrides& overrides) {
    return read_pipeline(path, overrides, path);
}

ConfigError error_at(const Pipeline& pipeline, Position at, std::string message, std::string hint) {
    const std::string base = pipeline.file.substr(pipeline.file.rfind('/') + 1);
    try {
        const ConfigTable top = sandbox::read_config(pipeline.directory + '/' + base, pipeline.file);
        return top.source().error(position_of(at), message, hint);
    } catch (const ConfigError&) {
        return {pipeline.file, position_of(at), std::move(message), std::move(hint)};
    }
}

}  // namespace stages
