// The action key of a stage: a digest of everything that can change its result, so that equal keys may share
// one result. Knows the pipeline's values and the digests it is given; reads nothing itself.
//
// Which keys of a stage are in it, and as what, the rows of stage_keys.hpp say. Not in it either, because they cannot
// change a result that ended well, are the stage's name and where the script lies. What the network gave is not in it:
// stagebox.lock pins that.
#pragma once
#include <string>

#include "stages/pipeline/key_parts.hpp"

namespace stages {

// Every component under a name that stays the same from version to version ("input /in/debs", "env LANG"),
// one level deep, in an order that does not depend on the file's: two keys are compared component by
// component. Throws std::logic_error where the material lacks something that the stage has.
sandbox::os::Json key_components(const Stage& stage, const KeyMaterial& material);

// 64 hexadecimal characters.
std::string action_key(const sandbox::os::Json& components);

// What components say of how a tree was made, beside ids_in(). Throws where they do not.
bool has_epoch(const sandbox::os::Json& components);

}  // namespace stages
