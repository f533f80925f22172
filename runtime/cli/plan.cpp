// `plan STAGE`: prints the operations that would make the stage's jail.
#include <iostream>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/pipeline_words.hpp"
#include "runtime/engine/stage_jail.hpp"
#include "runtime/host/services/service_check.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/plan/plan.hpp"

namespace runtime::cli {
namespace {

using sandbox::os::format;

struct PlanWords {
    PipelineWords pipeline;
    std::string stage;
};

void declare(Options& options, PlanWords& words) {
    declare_pipeline(options, words.pipeline);
    declare_stage(options, words.stage);
}

// In the words of a plan.
std::string describe(const sandbox::Service& service) {
    std::string words;
    for (const std::string& word : service.run) words += " " + word;
    return format("before it, start the service {}:{}\n", service.name, words);
}

int run(const PlanWords& words) {
    const engine::PipelineOptions options = words.pipeline.options();
    const stages::Pipeline pipeline = stages::read_pipeline(options.file, options.vars);
    const store::Store store(engine::store_path(options));
    engine::Profiles profiles(pipeline);
    const engine::Resolved resolved =
        engine::resolve_from_store(pipeline, store, profiles, words.stage, engine::Missing::imagine);
    const stages::Stage& stage = *pipeline.find(words.stage);
    const sandbox::IdMap ids = sandbox::resolve_idmap(stage.ids).map;
    const stages::kinds::Lowered lowered =
        engine::lower_at(store.path() + "/staging/NEW", stage, resolved, profiles.checked(stage), ids);
    std::cout << host::describe(pipeline.host_services);
    std::cout << sandbox::describe(sandbox::make_plan(lowered.spec, lowered.command));
    for (const sandbox::Service& service : stage.services) std::cout << describe(service);
    return ExitCode::done;
}

}  // namespace

Command plan_command() {
    return make_command<PlanWords>("plan", "Print the operations that make a stage's jail, run nothing");
}

}  // namespace runtime::cli
