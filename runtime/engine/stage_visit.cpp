#include "runtime/engine/stage_visit.hpp"

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

// The failed run of the stage as it is now, by its key; else the last of those before something was changed. Throws
// where there is none.
Json find_failed(const store::Store& store, const stages::Pipeline& pipeline, const std::string& stage,
                 const std::string& key_now) {
    Json found;
    for (const std::string& key : store.list().failed) {
        const auto text = sandbox::os::read_file_if_exists(store.directory(), "failed/" + key + "/stage.json");
        if (!text) continue;
        Json note = Json::parse(*text);
        if (note.at("pipeline") != pipeline.name || note.at("stage") != stage) continue;
        if (key == key_now) return note;
        if (found.is_null() || found.at("ended").get<std::string>() < note.at("ended").get<std::string>()) {
            found = std::move(note);
        }
    }
    if (found.is_null())
        throw std::runtime_error(format("no failed run of stage {} is kept in {}", stage, store.path()));
    return found;
}

void take_failed_places(const Json& note, const store::Store& store, const stages::Stage& stage, Resolved& resolved) {
    resolved.root = note.at("root").get<std::vector<std::string>>();
    if (!std::holds_alternative<stages::HostRoot>(stage.from)) {
        const std::string layer = store.failed_path(note.at("key").get<std::string>()) + "/layer/fs";
        resolved.root.insert(resolved.root.begin(), layer);
    }
    resolved.inputs.clear();
    for (const Json& input : note.at("inputs")) {
        const bool is_directory = input.at("directory").get<bool>();
        resolved.inputs.push_back({input.at("target").get<std::string>(),
                                   input.at("trees").get<std::vector<std::string>>(),
                                   is_directory ? stages::kinds::FileType::directory : stages::kinds::FileType::file});
    }
    resolved.local_inputs.clear();
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

// prepare() and wait.
void make_ready(StageJail& jail, store::StoreHelper& helper, sandbox::os::EventLoop& loop) {
    std::optional<Failure> failure;
    bool is_ready = false;
    StageSteps steps(helper, [&](Failure why) { failure = std::move(why); });
    jail.prepare(steps, [&] { is_ready = true; });
    while (!is_ready && !failure) loop.run_once();
    if (failure) throw sandbox::os::Error(std::move(failure->problem));
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

int in_stage(const PipelineOptions& options, const std::string& name, ShellAt at, const Permit& permit,
             const std::function<int(stages::kinds::Lowered&)>& act) {
    const stages::Pipeline pipeline = stages::read_pipeline(options.file, options.vars);
    Profiles profiles(pipeline);
    if (const stages::Stage* asking = pipeline.find(name)) permit(pipeline, *asking, profiles);
    store::Store store(store_path(options));
    const sandbox::os::Fd shared = store.share();
    Resolved resolved =
        resolve_from_store(pipeline, store, profiles, name, at == ShellAt::failed ? Missing::imagine : Missing::refuse);
    const stages::Stage& stage = *pipeline.find(name);
    std::string failed_out;
    if (at == ShellAt::failed) {
        const Json failed = find_failed(store, pipeline, name, resolved.key);
        take_failed_places(failed, store, stage, resolved);
        failed_out = store.failed_path(failed.at("key").get<std::string>()) + "/out";
    }
    const sandbox::IdMap ids = sandbox::resolve_idmap(stage.ids).map;
    if (stage.ids == sandbox::IdMode::range) store.bind_to(ids);
    sandbox::os::EventLoop loop;
    store::StoreHelper helper(ids, store.directory(), loop);
    int code = 0;
    {
        StageJail jail(store, helper, stage, resolved);
        // What the command had made of its outputs is shown as it is: the failed stage is kept for this.
        jail.show_out(failed_out);
        stages::kinds::Lowered& lowered = jail.lower(profiles.checked(stage), ids);
        make_ready(jail, helper, loop);
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
