// `build`: the pipeline, or what the named stages need.
#include "runtime/cli/build_end.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/pipeline_words.hpp"

namespace runtime::cli {
namespace {

struct BuildWords {
    PipelineWords pipeline;
    supervisor::BuildOptions build;
};

void declare(Options& options, BuildWords& words) {
    supervisor::BuildOptions& build = words.build;
    declare_pipeline(options, words.pipeline);
    options.push_back({.names = "STAGE", .into = &build.stages, .doc = "Only these stages, and what they need"});
    declare_allow(options, build.allow);
    options.push_back({.names = "--refresh",
                       .into = &build.refresh,
                       .doc = "Run this stage even if its result is known",
                       .type = "STAGE"});
    options.push_back({.names = "--locked",
                       .into = sets(build.lock_use, engine::LockUse::locked),
                       .doc = "Take no other result of a stage with a network than stagebox.lock notes",
                       .excludes = "--refresh"});
    options.push_back({.names = "-o,--output",
                       .into = &build.output,
                       .doc = "Write the pipeline's results into this directory",
                       .type = "DIR"});
    options.push_back({.names = "-j,--jobs",
                       .into = &build.jobs,
                       .doc = "Stages at the same time (default: one for each processor)",
                       .type = "N",
                       .check = check_whole_number});
    options.push_back({.names = "--detach",
                       .into = sets(build.session, supervisor::BuildSession::own),
                       .doc = "Build in the background, and print the run's name; see status, log and attach"});
}

int run(const BuildWords& words) {
    const engine::PipelineOptions pipeline = words.pipeline.options();
    supervisor::BuildOptions options = words.build;
    options.file = pipeline.file;
    if (words.pipeline.file.empty()) options.file_choice = supervisor::FileChoice::found;
    options.vars = pipeline.vars;
    options.store = pipeline.store;
    return supervisor::build(options, tell_end);
}

}  // namespace

Command build_command() {
    return make_command<BuildWords>("build", "Build the pipeline, or what the named stages need");
}

}  // namespace runtime::cli
