// The key "requires-services" of a pipeline: units of the host's systemd that its build needs.
#pragma once
#include <vector>

#include "sandbox/config/config.hpp"
#include "stages/pipeline/pipeline.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

std::vector<HostService> read_host_services(const sandbox::ConfigValue& value, const Variables& variables);

}  // namespace stages
