// The loopback interface. Under the rules of init/child.cpp.
#pragma once

namespace sandbox {

// Brings the interface lo of this process's network namespace up; answers -errno where it fails.
long bring_loopback_up() noexcept;

}  // namespace sandbox
