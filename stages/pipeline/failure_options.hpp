// The keys of a stage and of [defaults] that say what is to happen when a stage fails: errors, optional, retry, recover,
// grace.
#pragma once
#include "sandbox/config/config.hpp"
#include "stages/pipeline/failure_policy.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

// Takes the entry into `rules` where it is one of "errors", "retry" and "grace", which [defaults] has too; else false.
bool read_shared_failure_key(const sandbox::ConfigEntry& entry, FailureRules& rules);
// The same for those that only a stage has, "optional" and "recover".
bool read_stage_failure_key(const sandbox::ConfigEntry& entry, const Variables& variables, FailureRules& rules);

}  // namespace stages
