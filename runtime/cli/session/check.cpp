// `session check`: what the host session looks like, and what in it would be unsafe for a build.
#include <fcntl.h>

#include <cstdio>
#include <map>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/open_store.hpp"
#include "runtime/cli/pipeline_words.hpp"
#include "runtime/host/check/free_space.hpp"
#include "runtime/host/check/session_check.hpp"
#include "runtime/host/services/service_check.hpp"
#include "runtime/jail/user_network.hpp"
#include "runtime/store/run_lock.hpp"
#include "runtime/supervisor/needs.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "stages/pipeline/place.hpp"

namespace runtime::cli {

using host::Findings;
using host::Severity;
using sandbox::os::format;

namespace {

struct SessionCheckWords {
    PipelineWords pipeline;  // no file: the one that is found, if there is one
    OutputFormat format = OutputFormat::text;
};

void declare(Options& options, SessionCheckWords& words) {
    declare_pipeline(options, words.pipeline);
    declare_json(options, words.format);
}

std::string real_store(const std::string& named) {
    const std::string path = store_path(named);
    return sandbox::os::exists(AT_FDCWD, path) ? sandbox::os::real_path(path) : path;
}

// What the stages need of this host beyond a jail.
Findings check_pipeline(const stages::Pipeline& pipeline) {
    Findings findings;
    const auto add = [&](Findings more) { findings.insert(findings.end(), more.begin(), more.end()); };
    std::vector<const stages::Stage*> all;
    bool needs_network = false;
    for (const stages::Stage& stage : pipeline.stages) {
        all.push_back(&stage);
        needs_network = needs_network || stage.network == sandbox::Network::user;
        if (stage.script) {
            add(host::check_readable(pipeline.directory + "/" + stage.script->path,
                                     format("stage {}'s script", stage.name)));
        }
        for (const stages::Input& input : stage.inputs) {
            const auto* local = std::get_if<stages::LocalPath>(&input.source);
            if (local == nullptr) continue;
            add(host::check_readable(pipeline.project + "/" + local->path, format("stage {}'s input", stage.name)));
        }
    }
    for (const supervisor::MissingNeed& need : supervisor::missing_needs(all)) {
        findings.push_back({Severity::harm, "needs",
                            format("stage {} needs {}, which is not here", need.stage, need.what),
                            "sudo apt-get install " + need.package});
    }
    if (needs_network) {
        const sandbox::Finding network = jail::probe_user_network();
        if (network.status != sandbox::Status::ok) {
            findings.push_back({Severity::harm, "needs", format("network \"user\": {}", network.problem.what),
                                network.problem.remedy});
        }
    }
    return findings;
}

// What each stage put into the store when it was last built, all together.
double last_size(const stages::Pipeline& pipeline, const store::Store& store) {
    std::map<std::string, store::Record> newest;
    for (const store::Record& record : store.list().records) {
        if (record.pipeline != pipeline.name) continue;
        store::Record& known = newest[record.stage];
        if (known.finished <= record.finished) known = record;
    }
    double bytes = 0;
    for (const auto& [stage, record] : newest) {
        if (record.layer) bytes += static_cast<double>(record.layer->bytes);
        for (const auto& [name, object] : record.artifacts) bytes += static_cast<double>(object.bytes);
    }
    return bytes;
}

Findings left_by_killed_builds(const std::string& store) {
    if (!sandbox::os::exists(AT_FDCWD, store)) return {};
    const sandbox::os::Fd directory = sandbox::os::open_directory(AT_FDCWD, store);
    return host::find_left_services(directory.get(),
                                    [&](const std::string& run) { return store::is_supervised(directory.get(), run); });
}

// 0, or 3 where a finding would keep a build from starting.
int run(const SessionCheckWords& words) {
    const bool has_file = !words.pipeline.file.empty() || !stages::look_for_pipeline_file().path.empty();
    const engine::PipelineOptions options =
        has_file ? words.pipeline.options()
                 : engine::PipelineOptions{.file = {}, .vars = {}, .store = words.pipeline.store};
    host::OurPaths ours{
        .store = real_store(options.store) + "/" + store::Store::version_directory(), .project = {}, .output = {}};
    Findings findings;
    double expected = 0;
    if (has_file) {
        const stages::Pipeline pipeline = stages::read_pipeline(options.file, options.vars);
        ours.project = pipeline.project;
        findings = check_pipeline(pipeline);
        const Findings services = host::check_host_services(pipeline);
        findings.insert(findings.end(), services.begin(), services.end());
        // A check makes nothing: no store either.
        if (sandbox::os::exists(AT_FDCWD, ours.store)) {
            expected = last_size(pipeline, store::Store(real_store(options.store)));
        }
    }
    const sandbox::os::HostFiles files;
    const auto processes = host::read_processes(files);
    const auto mounts = sandbox::os::read_mounts(files);
    const host::Session here = host::classify(host::read_session_facts(files, processes));
    const Findings host = host::check_host({files, mounts, processes}, ours, expected);
    findings.insert(findings.end(), host.begin(), host.end());
    const Findings left = left_by_killed_builds(ours.store);
    findings.insert(findings.end(), left.begin(), left.end());
    if (words.format == OutputFormat::json) {
        std::printf("%s\n", host::to_json(here, findings).dump(2).c_str());
    } else {
        std::printf("%s\n", host::describe(here).c_str());
        for (const host::Finding& finding : findings) std::printf("%s\n", host::to_text(finding).c_str());
    }
    return host::has_harm(findings) ? ExitCode::cannot_run : ExitCode::done;
}

}  // namespace

Command session_check_command() {
    return make_command<SessionCheckWords>("session check", "What in it would be unsafe for a build");
}

}  // namespace runtime::cli
