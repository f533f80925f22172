// The action key of a stage: a digest of everything that can change its result, so that equal keys may share
// one result. Knows the pipeline's values and the digests it is given; reads nothing itself.
//
// Not in the key, because they cannot change a result that ended well: the stage's name, its limits, what
// it needs from the host by name (the state of the host's packages is in it), and where the script lies. What the
// network gave is not in it either: stagebox.lock pins that.
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

// Every component under a name that stays the same from version to version ("input /in/debs", "env LANG"),
// one level deep, in an order that does not depend on the file's: two keys are compared component by
// component. Throws std::logic_error where the material lacks something that the stage has.
sandbox::os::Json key_components(const Stage& stage, const KeyMaterial& material);

// 64 hexadecimal characters.
std::string action_key(const sandbox::os::Json& components);

// What components say of how a tree was made. Throws where they do not.
sandbox::IdMode ids_in(const sandbox::os::Json& components);
bool has_epoch(const sandbox::os::Json& components);

}  // namespace stages
