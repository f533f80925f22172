// The end of what systemd was asked to do: org.freedesktop.systemd1(5), the signal JobRemoved of its manager.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "sandbox/os/bus.hpp"

namespace sandbox {

// "done", "failed", "dependency", ...: how the job ended; nothing where it has not within so long. The bus has listened
// for JobRemoved since before the job was made; the ends of other jobs are dropped. Throws BusError.
std::optional<std::string> result_of_job(os::Bus& bus, const std::string& job, std::chrono::milliseconds timeout);

}  // namespace sandbox
