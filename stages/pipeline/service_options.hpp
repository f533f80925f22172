// The key "services" of a stage: programs that its command needs running beside it.
#pragma once
#include <vector>

#include "sandbox/config/config.hpp"
#include "sandbox/spec/services.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

std::vector<sandbox::Service> read_services(const sandbox::ConfigValue& value, const Variables& variables);

}  // namespace stages
