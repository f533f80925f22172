// The key "requires-services" of a pipeline: units of the host's systemd that its build needs.
#pragma once
#include <vector>

#include "sandbox/config/keys.hpp"
#include "stages/pipeline/pipeline.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

// The keys of an element that is a table.
std::vector<sandbox::KeyInfo> host_service_infos();
std::vector<HostService> read_host_services(const sandbox::ConfigValue& value, const Variables& variables);

}  // namespace stages
