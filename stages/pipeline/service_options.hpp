// The key "services" of a stage: programs that its command needs running beside it.
#pragma once
#include <vector>

#include "sandbox/config/keys.hpp"
#include "sandbox/spec/services.hpp"
#include "stages/pipeline/key_parts.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

std::vector<sandbox::KeyInfo> service_infos();
std::vector<sandbox::Service> read_services(const sandbox::ConfigValue& value, const Variables& variables);
// The keys of services that have an effect on the result. How long they may take is not in it, as no limit is.
void write_services(sandbox::os::Json& key, const Stage& stage, const KeyMaterial& material);

}  // namespace stages
