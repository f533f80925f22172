// What each key of a stage adds to the stage's action key (action_key.hpp). The rows of stage_keys.cpp say which.
#pragma once
#include <map>
#include <string>

#include "sandbox/os/json.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace stages {

// What a stage does not say about itself. Digests are those of os/sha256.hpp, or of the store for trees.
struct KeyMaterial {
    std::string root;                           // digest of the root; of no use for `host` and `empty`
    std::map<std::string, std::string> inputs;  // target -> digest, one for each input of the stage
    std::string script;                         // digest of the script's bytes; of no use for `run`
    std::string profile;                        // digest of what the jail allows
    std::string architecture;                   // "x86_64"
    std::string host_packages;                  // host_packages_digest(); of use where the root is the host
};

// `value`; throws std::logic_error where it is empty. `what`: how the error calls it.
const std::string& needed(const std::string& value, const Stage& stage, std::string_view what);

void write_root(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);
void write_script(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);
void write_run(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);
void write_recover(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);
void write_inputs(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);
void write_outputs(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);
void write_env(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);
void write_profile(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);
void write_network(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);
void write_ids(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);
void write_devices(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);

// What write_ids() has written.
sandbox::IdMode ids_in(const sandbox::os::Json& components);

}  // namespace stages
