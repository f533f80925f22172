// `check`: validates the pipeline file, says what the host lacks and what of the stages' scripts a jail will refuse.
#include <iostream>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/pipeline_words.hpp"
#include "runtime/engine/profiles.hpp"
#include "runtime/host/services/service_check.hpp"
#include "runtime/script/stage_check.hpp"
#include "runtime/supervisor/needs.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::cli {
namespace {

using sandbox::os::format;

struct CheckWords {
    PipelineWords pipeline;
};

void declare(Options& options, CheckWords& words) {
    declare_file(options, words.pipeline);
}

int run(const CheckWords& words) {
    const engine::PipelineOptions options = words.pipeline.options();
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
    if (const std::string asked =
            consent::to_text(consent::request_of(pipeline, all, consent::Purpose::build, profiles));
        !asked.empty()) {
        std::cout << asked << "\n";
    }
    std::cout << host::describe(pipeline.host_services);
    if (!missing.empty()) std::cout << supervisor::to_text(missing) << "\n";
    std::cout << script::stage_warnings(pipeline, profiles);
    return ExitCode::done;
}

}  // namespace

Command check_command() {
    return make_command<CheckWords>("check", "Validate the pipeline file, run nothing");
}

}  // namespace runtime::cli
