// The keys of a stage that say what its jail allows: network, ids, env, profile, devices, needs. Some of them
// may also stand in [defaults]. Knows nothing of roots, inputs and commands.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "sandbox/config/config.hpp"
#include "stages/pipeline/pipeline.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

sandbox::Network read_network(const sandbox::ConfigValue& value);
sandbox::IdMode read_ids(const sandbox::ConfigValue& value);
// Adds to `env`; a name that is there already gets the new value.
void read_env(const sandbox::ConfigTable& table, const Variables& variables, std::map<std::string, std::string>& env);
// The name of a profile, or the path of one beside the pipeline file; whether it is there is not looked at.
std::string read_profile_name(const sandbox::ConfigValue& value);
std::vector<std::string> read_devices(const sandbox::ConfigValue& value);
std::vector<HostNeed> read_needs(const sandbox::ConfigTable& table);

}  // namespace stages
