#include "sandbox/os/startup.hpp"

#include <fcntl.h>
#include <signal.h>

#include "sandbox/os/sys.hpp"

namespace sandbox::os {

void hear_of_children() noexcept {
    ::signal(SIGCHLD, SIG_DFL);
}

void open_closed_streams() {
    for (int stream = 0; stream < 3; ++stream) {
        if (::fcntl(stream, F_GETFD) != -1) continue;
        // It gets the lowest free number (open(2)), which is this one; and no FD_CLOEXEC, because a stream is
        // inherited.
        sys([&] { return ::open("/dev/null", stream == 0 ? O_RDONLY : O_WRONLY); },
            "open /dev/null in place of standard stream {}, which is closed", stream);
    }
}

}  // namespace sandbox::os
