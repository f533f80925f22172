// The jail of one stage, up to the moment when its command can start: where its parts lie, what the store lacks of its
// inputs, and the place in the store that it works in. `build` runs the stage's command in it; `shell` and `profile
// learn` stand in it; `plan` prints it.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "runtime/engine/resolve_stage.hpp"
#include "runtime/engine/stage_steps.hpp"
#include "runtime/store/helper.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/profile/profile.hpp"
#include "stages/lower/lower.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace runtime::engine {

// The stage with its parts in `place`, an absolute path that need not be there.
stages::kinds::Lowered lower_at(const std::string& place, const stages::Stage& stage, const Resolved& resolved,
                                const sandbox::Profile& profile, const sandbox::IdMap& ids);

class StageJail {
  public:
    // Everything is borrowed. `left`: what an attempt before has left, to go on in; nothing: a new place, which is
    // discarded with the object. Throws store::StoreError and sandbox::os::SysError.
    StageJail(store::Store& store, store::StoreHelper& helper, const stages::Stage& stage, const Resolved& resolved,
              std::optional<store::Staging> left = {});
    StageJail(const StageJail&) = delete;
    StageJail& operator=(const StageJail&) = delete;

    // What the stage's jail is made of. The caller may change it before the jail is started.
    stages::kinds::Lowered& lower(const sandbox::Profile& profile, const sandbox::IdMap& ids);
    // Shows this directory at /out, and not the place's own.
    void show_out(std::string path) { out_ = std::move(path); }
    // After lower(): makes the place ready, and copies into the store what it lacks of the stage's own inputs. A copy
    // has its name in the store only if its digest is the one that the stage's key was made from. Calls `ready` once,
    // or fails by `steps`.
    void prepare(StageSteps& steps, std::function<void()> ready);

    [[nodiscard]] stages::kinds::Lowered& lowered() noexcept { return lowered_; }
    [[nodiscard]] const stages::kinds::Lowered& lowered() const noexcept { return lowered_; }
    // Before take_place().
    [[nodiscard]] const store::Staging& place() const { return place_.value(); }
    [[nodiscard]] bool has_place() const noexcept { return place_.has_value(); }
    // What is made of the place is the caller's business from here on.
    [[nodiscard]] std::optional<store::Staging> take_place() { return std::exchange(place_, std::nullopt); }

  private:
    void remove_leftovers(StageSteps& steps);
    void make_ready(StageSteps& steps);
    void import_inputs(StageSteps& steps);
    void take_copy(StageSteps& steps, const LocalInput& input, const std::string& part,
                   const sandbox::os::Json& answer);

    store::Store& store_;
    store::StoreHelper& helper_;
    const stages::Stage& stage_;
    const Resolved& resolved_;
    bool was_left_;
    std::optional<store::Staging> place_;
    std::string out_;
    stages::kinds::Lowered lowered_;
    std::function<void()> ready_;
    std::size_t next_import_ = 0;
};

}  // namespace runtime::engine
