// What a jail has used: its cgroup's figures where it had one, else what wait4(2) says of its processes. Pure.
#pragma once
#include <optional>

#include "runtime/jail/traffic.hpp"
#include "runtime/store/record.hpp"
#include "sandbox/launch/launch.hpp"

namespace runtime::engine {

store::Usage usage_of(const sandbox::Outcome& outcome, double seconds, const std::optional<jail::Traffic>& traffic);

}  // namespace runtime::engine
