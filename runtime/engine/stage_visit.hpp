// A stage outside a build, by its pipeline's file and its name: `shell`, `plan`, `profile learn` and `run --root
// FILE:STAGE` look it up here, and the first and third stand in its jail.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "runtime/engine/resolve_stage.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/spec/spec.hpp"
#include "stages/lower/lower.hpp"
#include "stages/pipeline/pipeline_file.hpp"

namespace runtime::engine {

struct PipelineOptions {
    std::string file = "stagebox.toml";
    stages::Overrides vars;
    std::string store;  // empty: the default
};

// Throws where the user has not granted what the stage asks for.
using Permit = std::function<void(const stages::Pipeline&, const stages::Stage&, Profiles&)>;

enum class ShellAt : unsigned char { before, failed };

// The stage's jail, ready to run in the foreground on the caller's streams; `act`'s answer. What it changes is
// discarded. Throws sandbox::os::Error where the jail cannot be made ready.
int in_stage(const PipelineOptions& options, const std::string& name, ShellAt at, const Permit& permit,
             const std::function<int(stages::kinds::Lowered&)>& act);

// What a stage has made of its root, as `run --root FILE:STAGE` starts from it.
struct StageRoot {
    std::vector<std::string> layers;  // absolute, from the top one down
    sandbox::IdMode ids = sandbox::IdMode::single;
    sandbox::os::Fd shared;  // nothing of the store is deleted as long as it is open
};
// Throws where the stage is not built, or runs on the host's root, which has no layers.
StageRoot stage_root(const PipelineOptions& options, const std::string& name);

std::string store_path(const PipelineOptions& options);

enum class Missing : unsigned char { imagine, refuse };
// What the store has of the stages before this one.
Resolved resolve_from_store(const stages::Pipeline& pipeline, const store::Store& store, Profiles& profiles,
                            const std::string& name, Missing missing);

}  // namespace runtime::engine
