// The keys of a stage that say what runs and what its jail allows: script, run, env, network, ids, profile, devices,
// needs. Knows nothing of roots and inputs.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/config/keys.hpp"
#include "stages/pipeline/local_files.hpp"
#include "stages/pipeline/pipeline.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

inline constexpr auto network_words = std::to_array<sandbox::Word<sandbox::Network>>(
    {{"none", sandbox::Network::none}, {"user", sandbox::Network::user}, {"host", sandbox::Network::host}});
inline constexpr auto network_names = sandbox::words_in(network_words);
inline constexpr auto ids_words = std::to_array<sandbox::Word<sandbox::IdMode>>(
    {{"range", sandbox::IdMode::range}, {"single", sandbox::IdMode::single}});
inline constexpr auto ids_names = sandbox::words_in(ids_words);
inline constexpr std::array<std::string_view, 1> device_names = {"kvm"};

// Throws for the second one of "script" and "run".
void refuse_second_command(const sandbox::ConfigTable& table, const sandbox::ConfigEntry& entry, bool is_second);
LocalPath read_script(const sandbox::ConfigValue& value, const Variables& variables, const LocalFiles& files);
std::vector<std::string> read_run(const sandbox::ConfigValue& value, const Variables& variables);
// Adds to `env`; a name that is there already gets the new value.
void read_env(const sandbox::ConfigTable& table, const Variables& variables, Environment& env);
// The name of a profile, or the path of one beside the pipeline file; whether it is there is not looked at.
std::string read_profile_name(const sandbox::ConfigValue& value);
std::vector<std::string> read_devices(const sandbox::ConfigValue& value);
std::vector<HostNeed> read_needs(const sandbox::ConfigTable& table);

}  // namespace stages
