#include "sandbox/os/startup.hpp"

#include <signal.h>

namespace sandbox::os {

void hear_of_children() noexcept {
    ::signal(SIGCHLD, SIG_DFL);
}

}  // namespace sandbox::os
