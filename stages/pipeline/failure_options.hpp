// The keys of a stage that say what is to happen when it fails: errors, retry, recover.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "sandbox/config/keys.hpp"
#include "stages/pipeline/failure_policy.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

inline constexpr auto error_words = std::to_array<sandbox::Word<ErrorMode>>(
    {{"graceful", ErrorMode::graceful}, {"strict", ErrorMode::strict}, {"permissive", ErrorMode::permissive}});
inline constexpr auto error_names = sandbox::words_in(error_words);

std::vector<sandbox::KeyInfo> retry_infos();
// The keys of the table over what is there already.
void read_retry(const sandbox::ConfigTable& table, Retry& retry);
std::vector<std::string> read_recover(const sandbox::ConfigValue& value, const Variables& variables);

}  // namespace stages
