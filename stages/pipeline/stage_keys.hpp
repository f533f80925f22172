// The keys of a stage, one row each: everything that the program knows of a key beside what is done with its value. A
// new key is a row here, a member of Stage, and its use.
#pragma once
#include <span>

#include "sandbox/config/keys.hpp"
#include "stages/pipeline/key_parts.hpp"
#include "stages/pipeline/local_files.hpp"
#include "stages/pipeline/pipeline.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

// Where a key may stand: in a stage, or in [defaults] too, for all stages that do not have it.
enum class Scope : std::uint8_t { stage, stage_and_defaults };

// One key as it is written, and what it is read with.
struct StageEntry {
    const sandbox::ConfigTable& table;
    const sandbox::ConfigEntry& entry;
    const Variables& variables;
    const ProjectFiles& files;
};

// What the key adds to the stage's action key, and where. Parts stand in the order of their places, which stay as they
// are for good: another order is another key, and every stage would run once more. Places of new keys go on at the end.
struct KeyPart {
    unsigned place = 0;
    void (*write)(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material) = nullptr;
};

struct StageKey {
    sandbox::KeyInfo info;
    Scope scope = Scope::stage;
    void (*read)(const StageEntry& entry, Stage& stage) = nullptr;
    KeyPart part = {};  // there if, and only if, the key has an effect on the result
};

// In the order in which people are told of them.
std::span<const StageKey> stage_keys();
std::vector<sandbox::KeyInfo> stage_infos();

}  // namespace stages
