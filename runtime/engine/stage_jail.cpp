#include "runtime/engine/stage_jail.hpp"

#include "sandbox/os/format.hpp"

namespace runtime::engine {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

stages::kinds::StagePaths paths_in(const std::string& place, const Resolved& resolved) {
    return {.root = resolved.root,
            .skeleton = place + "/skeleton",
            .upper = place + "/layer/fs",
            .work = place + "/work",
            .out = place + "/out",
            .inputs = resolved.inputs,
            .script = resolved.script};
}

}  // namespace

stages::kinds::Lowered lower_at(const std::string& place, const stages::Stage& stage, const Resolved& resolved,
                                const sandbox::Profile& profile, const sandbox::IdMap& ids) {
    return stages::kinds::lower(stage, paths_in(place, resolved), profile, ids);
}

StageJail::StageJail(store::Store& store, store::StoreHelper& helper, const stages::Stage& stage,
                     const Resolved& resolved, std::optional<store::Staging> left)
    : store_(store),
      helper_(helper),
      stage_(stage),
      resolved_(resolved),
      was_left_(left.has_value()),
      place_(left ? std::move(left) : std::optional(store.begin())) {}

stages::kinds::Lowered& StageJail::lower(const sandbox::Profile& profile, const sandbox::IdMap& ids) {
    stages::kinds::StagePaths paths = paths_in(place().path(), resolved_);
    if (!out_.empty()) paths.out = out_;
    lowered_ = stages::kinds::lower(stage_, paths, profile, ids);
    return lowered_;
}

void StageJail::prepare(StageSteps& steps, std::function<void()> ready) {
    ready_ = std::move(ready);
    next_import_ = 0;
    steps.attempt(FailureClass::jail, [&] { was_left_ ? remove_leftovers(steps) : make_ready(steps); });
}

// The mark that a volatile overlay leaves in its work directory keeps it from being mounted again.
void StageJail::remove_leftovers(StageSteps& steps) {
    const auto make = [this, &steps](const Json&) { make_ready(steps); };
    const auto remove_skeleton = [this, &steps, make](const Json&) {
        steps.wait_for(helper_.remove(place_->place("skeleton"), steps.then(make, FailureClass::jail)));
    };
    steps.wait_for(helper_.remove(place_->place("work"), steps.then(remove_skeleton, FailureClass::jail)));
}

void StageJail::make_ready(StageSteps& steps) {
    const auto import = [this, &steps](const Json&) { import_inputs(steps); };
    steps.wait_for(helper_.prepare(place_->place(), lowered_.mount_points, steps.then(import, FailureClass::jail)));
}

// One after the other: most pipelines have one or two, and they are small.
void StageJail::import_inputs(StageSteps& steps) {
    const std::vector<LocalInput>& inputs = resolved_.local_inputs;
    while (next_import_ < inputs.size() && store_.has_artifact(inputs[next_import_].id)) ++next_import_;
    if (next_import_ == inputs.size()) {
        ready_();
        return;
    }
    const LocalInput& input = inputs[next_import_];
    const std::string part = format("import-{}", next_import_);
    const auto take = [this, &steps, &input, part](const Json& answer) { take_copy(steps, input, part, answer); };
    steps.wait_for(helper_.import(input.source, place_->place(part),
                                  steps.then(take, FailureClass::jail, format("copy {}: ", input.source))));
}

// The copy alone counts: what was there when the key was made may be something else by now.
void StageJail::take_copy(StageSteps& steps, const LocalInput& input, const std::string& part, const Json& answer) {
    if (store::object_id(stage_.ids, store::facts_of(answer).digest) != input.id) {
        steps.give_up(FailureClass::jail, format("{} changed while it was copied", input.source),
                      "start again when nothing writes there");
        return;
    }
    store_.commit_artifact(*place_, part, input.id);
    import_inputs(steps);
}

}  // namespace runtime::engine
