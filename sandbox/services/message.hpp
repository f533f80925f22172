// What the supervisor and the service runner, which has no library, both know: what the service runner tells over the
// socket that is its standard input.
#pragma once
#include <stdint.h>

#include "sandbox/os/wait_status.hpp"
#include "sandbox/spec/ready.hpp"

namespace sandbox::services {

enum class Event : uint32_t {
    ready,         // service `index` is
    not_ready,     // and this one is not, though its time is over; how: its last check ended, if it had one
    ended,         // and this one ended before the command
    not_executed,  // and this one could not be; error: why
};

// In the place of a service's number: the command.
inline constexpr uint32_t command_index = ~0U;

struct Message {
    Event event;
    uint32_t index;
    os::WaitStatus how;
    int32_t error;  // errno
};

}  // namespace sandbox::services
