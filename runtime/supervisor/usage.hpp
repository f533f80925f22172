// What a jail has used: its cgroup's figures where it had one, else what wait4(2) says of its processes. Pure.
#pragma once
#include <optional>

#include "runtime/store/record.hpp"
#include "runtime/supervisor/traffic.hpp"
#include "sandbox/launch.hpp"

namespace runtime::supervisor {

store::Usage usage_of(const sandbox::Outcome& outcome, double seconds, const std::optional<Traffic>& traffic);

}  // namespace runtime::supervisor
