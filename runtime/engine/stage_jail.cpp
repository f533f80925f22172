#include "runtime/engine/stage_jail.hpp"

#include "runtime/store/helper.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/sha256.hpp"
#include "stages/pipeline/graph.hpp"

namespace runtime::engine {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

// A stage whose result is not in the store, for a plan that is only printed.
StageResult imagined(const stages::Stage& stage) {
    StageResult result;
    result.is_built = false;
    result.record.tree = "not built yet";
    if (!std::holds_alternative<stages::HostRoot>(stage.from)) {
        result.layers = {format("/layers-of-{}", stage.name)};
    }
    for (const stages::Output& output : stage.outputs) {
        const sandbox::os::Digest id(sandbox::os::sha256_of(format("{}.{} is not built yet", stage.name, output.name)));
        result.record.artifacts.insert_or_assign(output.name, store::Object{.id = id});
    }
    return result;
}

// The last failed run of the stage; throws where there is none.
Json find_failed(const store::Store& store, const stages::Pipeline& pipeline, const std::string& stage) {
    Json found;
    for (const std::string& key : store.list().failed) {
        const auto text = sandbox::os::read_file_if_exists(store.directory(), "failed/" + key + "/stage.json");
        if (!text) continue;
        Json note = Json::parse(*text);
        if (note.at("pipeline") != pipeline.name || note.at("stage") != stage) continue;
        if (found.is_null() || found.at("ended").get<std::string>() < note.at("ended").get<std::string>()) {
            found = std::move(note);
        }
    }
    if (found.is_null())
        throw std::runtime_error(format("no failed run of stage {} is kept in {}", stage, store.path()));
    return found;
}

void take_failed_places(const Json& note, const store::Store& store, Resolved& resolved) {
    resolved.root = note.at("root").get<std::vector<std::string>>();
    const std::string layer = store.failed_path(note.at("key").get<std::string>()) + "/layer/fs";
    resolved.root.insert(resolved.root.begin(), layer);
    resolved.inputs.clear();
    for (const Json& input : note.at("inputs")) {
        const bool is_directory = input.at("directory").get<bool>();
        resolved.inputs.push_back({input.at("target").get<std::string>(),
                                   input.at("trees").get<std::vector<std::string>>(),
                                   is_directory ? stages::kinds::FileType::directory : stages::kinds::FileType::file});
    }
    resolved.local_inputs.clear();
}

stages::kinds::StagePaths places_in(const store::Staging& staging, const Resolved& resolved) {
    return {.root = resolved.root,
            .skeleton = staging.path("skeleton"),
            .upper = staging.path("layer/fs"),
            .work = staging.path("work"),
            .out = staging.path("out"),
            .inputs = resolved.inputs,
            .script = resolved.script};
}

// Asks the store helper and waits: `ask` gets the callback to hand on.
template <class Ask>
Json answer_of(sandbox::os::EventLoop& loop, Ask ask) {
    std::optional<Json> result;
    ask([&](const Json& answer, const store::StoreHelperFault& fault) {
        if (fault) throw std::runtime_error(fault.what);
        result = answer;
    });
    while (!result) loop.run_once();
    return *result;
}

void import_inputs(store::Store& store, store::StoreHelper& helper, sandbox::os::EventLoop& loop,
                   const store::Staging& staging, const Resolved& resolved) {
    for (std::size_t i = 0; i < resolved.local_inputs.size(); ++i) {
        const LocalInput& input = resolved.local_inputs[i];
        if (store.has_artifact(input.id)) continue;
        const std::string part = format("import-{}", i);
        answer_of(loop, [&](auto done) { helper.import(input.source, staging.place(part), std::move(done)); });
        store.commit_artifact(staging, part, input.id);
    }
}

}  // namespace

std::string store_path(const PipelineOptions& options) {
    return options.store.empty() ? store::Store::default_path() : options.store;
}

Resolved resolve_from_store(const stages::Pipeline& pipeline, const store::Store& store, Profiles& profiles,
                            const std::string& name, Missing missing) {
    const stages::Graph graph(pipeline);
    Resolver resolver(pipeline, store, profiles);
    Results results;
    const std::string wanted[] = {name};
    for (const std::size_t place : graph.order_for(wanted)) {
        const stages::Stage& stage = pipeline.stages[place];
        Resolved resolved = resolver.resolve(stage, results);
        if (stage.name == name) return resolved;
        const auto record = store.find(resolved.key);
        if (record && store.holds(*record)) {
            results[stage.name] = {*record, resolver.layers_of(*record, resolved)};
        } else if (missing == Missing::imagine) {
            results[stage.name] = imagined(stage);
        } else {
            throw std::runtime_error(
                format("stage {} needs the result of {}, which is not built; build it first: "
                       "stagebox build -f {} {}",
                       name, stage.name, pipeline.file, stage.name));
        }
    }
    throw std::logic_error("a stage is not in its own order");
}

StageRoot stage_root(const PipelineOptions& options, const std::string& name) {
    const stages::Pipeline pipeline = stages::read_pipeline(options.file, options.vars);
    store::Store store(store_path(options));
    sandbox::os::Fd shared = store.share();
    Profiles profiles(pipeline);
    const Resolved resolved = resolve_from_store(pipeline, store, profiles, name, Missing::refuse);
    const stages::Stage& stage = *pipeline.find(name);
    if (std::holds_alternative<stages::HostRoot>(stage.from)) {
        throw std::invalid_argument(format("stage {} runs on the host's root, and so has none of its own", name));
    }
    const auto record = store.find(resolved.key);
    if (!record || !store.holds(*record)) {
        throw std::runtime_error(
            format("stage {} is not built; build it first: stagebox build -f {} {}", name, pipeline.file, name));
    }
    const Resolver resolver(pipeline, store, profiles);
    return {resolver.layers_of(*record, resolved), stage.ids, std::move(shared)};
}

int in_stage(const PipelineOptions& options, const std::string& name, ShellAt at,
             const std::function<int(stages::kinds::Lowered&)>& act) {
    const stages::Pipeline pipeline = stages::read_pipeline(options.file, options.vars);
    store::Store store(store_path(options));
    const sandbox::os::Fd shared = store.share();
    Profiles profiles(pipeline);
    Resolved resolved =
        resolve_from_store(pipeline, store, profiles, name, at == ShellAt::failed ? Missing::imagine : Missing::refuse);
    const stages::Stage& stage = *pipeline.find(name);
    const bool is_on_host = std::holds_alternative<stages::HostRoot>(stage.from);
    Json failed;
    if (at == ShellAt::failed) {
        failed = find_failed(store, pipeline, name);
        take_failed_places(failed, store, resolved);
    }

    const sandbox::IdMap ids = sandbox::resolve_idmap(stage.ids).map;
    if (stage.ids == sandbox::IdMode::range) store.bind_to(ids);
    sandbox::os::EventLoop loop;
    store::StoreHelper helper(ids, store.directory(), loop);
    std::string discarded;
    int code = 0;
    {
        const store::Staging staging = store.begin();
        stages::kinds::StagePaths places = places_in(staging, resolved);
        if (is_on_host) places.root.clear();
        // What the command had made of its outputs is shown as it is: the failed stage is kept for this.
        if (!failed.is_null()) places.out = store.failed_path(failed.at("key").get<std::string>()) + "/out";
        stages::kinds::Lowered lowered = stages::kinds::lower(stage, places, profiles.checked(stage), ids);
        answer_of(loop, [&](auto done) { helper.prepare(staging.place(), lowered.mount_points, std::move(done)); });
        import_inputs(store, helper, loop, staging, resolved);
        lowered.command.stdin_fd = 0;
        lowered.command.stdout_fd = 1;
        lowered.command.stderr_fd = 2;
        code = act(lowered);
    }
    for (const std::string& place : store.trash()) {
        answer_of(loop, [&](auto done) { helper.remove(place, std::move(done)); });
    }
    return code;
}

}  // namespace runtime::engine
