// `check`, `plan` and `shell`: commands that look at one pipeline and change nothing in the store.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "runtime/cli/commands.hpp"
#include "runtime/engine/resolve_stage.hpp"
#include "runtime/host/services/service_check.hpp"
#include "runtime/jail/foreground.hpp"
#include "runtime/script/stage_check.hpp"
#include "runtime/store/helper.hpp"
#include "runtime/supervisor/needs.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/plan/plan.hpp"
#include "stages/pipeline/graph.hpp"

namespace runtime::cli {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

// In the words of a plan.
std::string describe(const sandbox::Service& service) {
    std::string words;
    for (const std::string& word : service.run) words += " " + word;
    return format("before it, start the service {}:{}\n", service.name, words);
}

}  // namespace

int check(const PipelineOptions& options) {
    const stages::Pipeline pipeline = stages::read_pipeline(options.file, options.vars);
    std::vector<const stages::Stage*> all;
    engine::Profiles profiles(pipeline);
    jail::JailCgroups cgroups;
    for (const stages::Stage& stage : pipeline.stages) {
        all.push_back(&stage);
        profiles.check(stage);
        profiles.check_limits(stage, cgroups);
    }
    const auto missing = supervisor::missing_needs(all);
    const auto count = [](std::size_t number, const char* what) {
        return format("{} {}{}", number, what, number == 1 ? "" : "s");
    };
    std::cout << format("{}: {}, {}: valid\n", options.file, count(pipeline.stages.size(), "stage"),
                        count(pipeline.results.size(), "result"));
    for (const std::string& note : profiles.notes()) std::cout << note << "\n";
    std::cout << host::describe(pipeline.host_services);
    if (!missing.empty()) std::cout << supervisor::to_text(missing) << "\n";
    std::cout << script::stage_warnings(pipeline, profiles);
    return 0;
}

int plan(const PipelineOptions& options, const std::string& name) {
    const stages::Pipeline pipeline = stages::read_pipeline(options.file, options.vars);
    const store::Store store(store_path(options));
    engine::Profiles profiles(pipeline);
    const engine::Resolved resolved = resolve_from_store(pipeline, store, profiles, name, engine::Missing::imagine);
    const stages::Stage& stage = *pipeline.find(name);
    const stages::kinds::StagePaths places = {.root = resolved.root,
                                              .skeleton = store.path() + "/staging/NEW/skeleton",
                                              .upper = store.path() + "/staging/NEW/layer/fs",
                                              .work = store.path() + "/staging/NEW/work",
                                              .out = store.path() + "/staging/NEW/out",
                                              .inputs = resolved.inputs,
                                              .script = resolved.script};
    const sandbox::IdMap ids = sandbox::resolve_idmap(stage.ids).map;
    const stages::kinds::Lowered lowered = stages::kinds::lower(stage, places, profiles.checked(stage), ids);
    std::cout << host::describe(pipeline.host_services);
    std::cout << sandbox::describe(sandbox::make_plan(lowered.spec, lowered.command));
    for (const sandbox::Service& service : stage.services) std::cout << describe(service);
    return 0;
}

int shell(const PipelineOptions& options, const std::string& name, ShellAt at) {
    return engine::in_stage(options, name, at, [&](stages::kinds::Lowered& lowered) {
        const std::vector<std::string> command = lowered.command.argv;
        lowered.command.argv = {"/bin/sh", "-c", "if command -v bash >/dev/null; then exec bash; else exec sh; fi"};
        std::string words;
        for (const std::string& word : command) words += " " + word;
        std::cerr << format("stage {}, as {}; its command is:{}\n", name,
                            at == ShellAt::failed ? "its command left it" : "it is before its command", words);
        if (::isatty(0) == 1) {
            const char* term = std::getenv("TERM");
            lowered.command.env.emplace_back("TERM", term == nullptr ? "dumb" : term);
            return jail::run_on_terminal(lowered.spec, lowered.command);
        }
        return jail::run_in_foreground(lowered.spec, lowered.command);
    });
}

}  // namespace runtime::cli
