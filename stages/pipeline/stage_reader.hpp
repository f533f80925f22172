// Reads [defaults] and the tables [stage.NAME] by the rows of stage_keys.hpp. Each stage is read for itself: whether
// the stages that it names exist is a matter of pipeline/references.hpp.
#pragma once
#include <vector>

#include "sandbox/config/keys.hpp"
#include "stages/pipeline/local_files.hpp"
#include "stages/pipeline/pipeline.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

// What [defaults] says: for stages, as a stage that each of them begins as, and for the whole build.
struct Defaults {
    Stage stage;
    OnDisconnect on_disconnect = OnDisconnect::end;
};

// The keys of [defaults]: those of a stage that may stand there, and those of the whole build.
std::vector<sandbox::KeyInfo> default_infos();

Defaults read_defaults(const sandbox::ConfigTable& table, const Variables& variables, const ProjectFiles& files);
// `entry` is the stage's name and its table, inside the table `stages`.
Stage read_stage(const sandbox::ConfigTable& stages, const sandbox::ConfigEntry& entry, const Defaults& defaults,
                 const Variables& variables, const ProjectFiles& files);

}  // namespace stages
