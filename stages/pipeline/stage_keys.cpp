#include "stages/pipeline/stage_keys.hpp"

#include "sandbox/spec/limits_text.hpp"
#include "stages/pipeline/failure_options.hpp"
#include "stages/pipeline/root_options.hpp"
#include "stages/pipeline/service_options.hpp"
#include "stages/pipeline/stage_options.hpp"

namespace stages {
namespace {

using enum sandbox::Presence;
namespace shape = sandbox::shape;
using sandbox::Effect;

constexpr sandbox::Shape device_shape = shape::one_of(device_names);
constexpr sandbox::Shape service_shape = shape::table_of(service_infos);
constexpr sandbox::Shape recover_shape = shape::either(shape::text, shape::list_of_texts);

constexpr std::array keys = {
    StageKey{{"from", shape::text, {}, required, Effect::on_result, "The root that the stage sees as /"},
             Scope::stage,
             [](const StageEntry& e, Stage& stage) {
                 stage.from = read_root(e.entry.value, e.variables);
                 stage.from_at = position_of(e.entry.value.at());
             },
             {10, write_root}},
    StageKey{
        {"in", shape::names_of_texts, {}, optional, Effect::on_result, "Inputs: a place in the jail, what is there"},
        Scope::stage,
        [](const StageEntry& e, Stage& stage) {
            stage.inputs = read_inputs(e.entry.value.as_table(), e.variables, e.files.project);
        },
        {50, write_inputs}},
    StageKey{{"script", shape::text, {}, optional, Effect::on_result, "A file beside the pipeline file that is run"},
             Scope::stage,
             [](const StageEntry& e, Stage& stage) {
                 refuse_second_command(e.table, e.entry, !stage.run.empty());
                 stage.script = read_script(e.entry.value, e.variables, e.files.beside);
             },
             {20, write_script}},
    StageKey{
        {"run", shape::list_of_texts, {}, optional, Effect::on_result, "The program and its arguments, for no shell"},
        Scope::stage,
        [](const StageEntry& e, Stage& stage) {
            refuse_second_command(e.table, e.entry, stage.script.has_value());
            stage.run = read_run(e.entry.value, e.variables);
        },
        {21, write_run}},
    StageKey{
        {"out", shape::names_of_texts, {}, optional, Effect::on_result, "Artifacts: a name, its path below /out"},
        Scope::stage,
        [](const StageEntry& e, Stage& stage) { stage.outputs = read_outputs(e.entry.value.as_table(), e.variables); },
        {60, write_outputs}},
    StageKey{{"env", shape::names_of_texts, {}, optional, Effect::on_result, "Environment variables of the command"},
             Scope::stage_and_defaults,
             [](const StageEntry& e, Stage& stage) { read_env(e.entry.value.as_table(), e.variables, stage.env); },
             {70, write_env}},
    StageKey{{"network", shape::one_of(network_names), "\"none\"", optional, Effect::on_result, "What it can reach"},
             Scope::stage_and_defaults,
             [](const StageEntry& e, Stage& stage) { stage.network = read_word(e.entry.value, network_words); },
             {81, write_network}},
    StageKey{
        {"ids", shape::one_of(ids_names), "\"range\"", optional, Effect::on_result, "The user and group ids it has"},
        Scope::stage_and_defaults,
        [](const StageEntry& e, Stage& stage) { stage.ids = read_word(e.entry.value, ids_words); },
        {82, write_ids}},
    StageKey{{"profile", shape::text, "\"build\"", optional, Effect::on_result, "What the jail allows"},
             Scope::stage_and_defaults,
             [](const StageEntry& e, Stage& stage) {
                 stage.profile = read_profile_name(e.entry.value);
                 stage.profile_at = position_of(e.entry.value.at());
             },
             {80, write_profile}},
    StageKey{{"limits", shape::table_of(sandbox::limit_infos), {}, optional, Effect::none, "What it may use up"},
             Scope::stage_and_defaults,
             [](const StageEntry& e, Stage& stage) { sandbox::read_limits(e.entry.value.as_table(), stage.limits); }},
    StageKey{{"devices",
              shape::list_of(device_shape),
              {},
              optional,
              Effect::on_result,
              "Devices of the host beyond the minimal /dev"},
             Scope::stage,
             [](const StageEntry& e, Stage& stage) { stage.devices = read_devices(e.entry.value); },
             {83, write_devices}},
    StageKey{{"needs", shape::names_of_texts, {}, optional, Effect::none, "Programs of the host, and their packages"},
             Scope::stage,
             [](const StageEntry& e, Stage& stage) { stage.needs = read_needs(e.entry.value.as_table()); }},
    StageKey{{"services",
              shape::list_of(service_shape),
              {},
              optional,
              Effect::on_result,
              "Programs that run beside the command"},
             Scope::stage,
             [](const StageEntry& e, Stage& stage) { stage.services = read_services(e.entry.value, e.variables); },
             {40, write_services}},
    StageKey{
        {"errors", shape::one_of(error_names), "\"graceful\"", optional, Effect::none, "What its failure means"},
        Scope::stage_and_defaults,
        [](const StageEntry& e, Stage& stage) { stage.on_failure.errors = read_word(e.entry.value, error_words); }},
    StageKey{{"optional", shape::truth, "false", optional, Effect::none, "Whether a build can do without it"},
             Scope::stage,
             [](const StageEntry& e, Stage& stage) { stage.on_failure.is_optional = e.entry.value.as_boolean(); }},
    StageKey{{"retry", shape::table_of(retry_infos), {}, optional, Effect::none, "Which failures are tried again"},
             Scope::stage_and_defaults,
             [](const StageEntry& e, Stage& stage) { read_retry(e.entry.value.as_table(), stage.on_failure.retry); }},
    StageKey{
        {"recover", recover_shape, {}, optional, Effect::on_result, "A command that mends a failed attempt"},
        Scope::stage,
        [](const StageEntry& e, Stage& stage) { stage.on_failure.recover = read_recover(e.entry.value, e.variables); },
        {30, write_recover}},
    StageKey{{"grace", sandbox::duration_shape, "\"10s\"", optional, Effect::none, "Time between SIGTERM and SIGKILL"},
             Scope::stage_and_defaults,
             [](const StageEntry& e, Stage& stage) { stage.on_failure.grace = sandbox::read_duration(e.entry.value); }},
};

constexpr bool is_decided_stage_key(const StageKey& key) {
    const bool is_in_key = key.part.write != nullptr;
    return is_complete(key.info) && key.read != nullptr && is_in_key == (key.info.effect == Effect::on_result);
}
static_assert(std::ranges::all_of(keys, is_decided_stage_key), "a row that lacks its line, its reader or its effect");

}  // namespace

std::span<const StageKey> stage_keys() {
    return keys;
}

std::vector<sandbox::KeyInfo> stage_infos() {
    return sandbox::infos_of(keys);
}

}  // namespace stages
