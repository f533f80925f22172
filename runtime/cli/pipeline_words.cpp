#include "runtime/cli/pipeline_words.hpp"

#include <cstdio>

#include "sandbox/config/config.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "stages/pipeline/place.hpp"

namespace runtime::cli {
namespace {

std::string check_variable(const std::string& text) {
    const bool has_name = text.find('=') != std::string::npos;
    return has_name ? "" : sandbox::os::format("{} is not of the form NAME=VALUE", sandbox::os::quote(text));
}

std::string found_file() {
    const stages::FoundFile found = stages::look_for_pipeline_file();
    if (!found.path.empty()) return found.path;
    throw sandbox::ConfigError(stages::pipeline_file_name, {},
                               sandbox::os::format("there is no such file, here or above: {}", found.stopped),
                               "-f names another one; stagebox import drafts one from a build script");
}

}  // namespace

engine::PipelineOptions PipelineWords::options() const {
    engine::PipelineOptions options{.file = file.empty() ? found_file() : file, .vars = {}, .store = store};
    for (const std::string& var : vars) {
        const std::size_t equals = var.find('=');
        options.vars.emplace_back(var.substr(0, equals), var.substr(equals + 1));
    }
    return options;
}

void declare_file(Options& options, PipelineWords& words) {
    options.push_back({.names = "-f,--file",
                       .into = &words.file,
                       .doc = "The pipeline file (default: stagebox.toml, here or in the nearest directory above)",
                       .type = "FILE"});
    options.push_back({.names = "--var",
                       .into = &words.vars,
                       .doc = "Sets a variable of the pipeline file",
                       .type = "NAME=VALUE",
                       .check = check_variable});
}

void declare_pipeline(Options& options, PipelineWords& words) {
    declare_file(options, words);
    options.push_back(
        {.names = "--store", .into = &words.store, .doc = "Where layers and artifacts are kept", .type = "DIR"});
}

void declare_allow(Options& options, std::vector<std::string>& allow) {
    options.push_back({.names = "--allow",
                       .into = &allow,
                       .doc = "Grants what the pipeline asks for beyond its jails; stagebox check names it",
                       .type = "WORD,...",
                       .check = consent::words_fault});
}

void declare_stage(Options& options, std::string& stage) {
    options.push_back({.names = "STAGE", .into = &stage, .doc = "The stage", .is_required = true});
}

engine::Permit permit_with(const std::vector<std::string>& allow) {
    return [&allow](const stages::Pipeline& pipeline, const stages::Stage& stage, engine::Profiles& profiles) {
        profiles.check(stage);
        consent::obtain(
            consent::request_of(pipeline, {&stage}, consent::Purpose::visit, profiles), allow, pipeline,
            [](std::string_view line) { std::fprintf(stderr, "%s\n", sandbox::os::printable(line).c_str()); });
    };
}

}  // namespace runtime::cli
