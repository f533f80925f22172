// How a service shows that it is ready. The service runner, which has no library, knows it too.
#pragma once

namespace sandbox {

inline constexpr unsigned most_services = 32;

// The letters are for the service runner's arguments.
enum class Ready : char {
    at_once = 'n',      // it was started
    tcp = 't',          // a connection to a port of the loopback device is taken
    unix_socket = 'u',  // a connection to a socket in the jail's root is taken
    log = 'l',          // its output has a text in it
    command = 'c',      // a command ends with 0
};

}  // namespace sandbox
