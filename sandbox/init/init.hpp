// The jail's PID 1 after set-up. Under the rules of init/child.cpp.
#pragma once

namespace sandbox {

// Reaps, passes signals on, reports the payload's end.
[[noreturn]] void init_main(int control_fd, long payload) noexcept;

}  // namespace sandbox
