// What the supervisor and the steward, which has no library, both know: how a service shows that it is ready, and what the
// steward tells over the socket that is its standard input.
#pragma once
#include <cstdint>

namespace sandbox {

inline constexpr unsigned most_services = 32;

// How a service shows that it is ready. The letters are for the steward's arguments.
enum class Ready : char {
    at_once = 'n',      // it was started
    tcp = 't',          // a connection to a port of the loopback device is taken
    unix_socket = 'u',  // a connection to a socket in the jail's root is taken
    log = 'l',          // its output has a text in it
    command = 'c',      // a command ends with 0
};

}  // namespace sandbox

namespace sandbox::steward {

enum class Event : std::uint32_t {
    ready,      // service `index` is
    not_ready,  // and this one is not, though its time is over; code and status: how its last check ended, if it had one
    ended,      // and this one ended before the command; code and status: waitid(2)'s
    not_executed,  // and this one could not be; status: errno
};

// In the place of a service's number: the command.
inline constexpr std::uint32_t command_index = ~0U;

struct Message {
    Event event;
    std::uint32_t index;
    std::int32_t code;
    std::int32_t status;
};

}  // namespace sandbox::steward
