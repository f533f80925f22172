// A jail's network namespace, made beside the jail: the kernel takes as long for it as for everything else that a
// jail's root is made of, and the supervisor has nothing to do while init builds that. Knows nothing of plans.
#pragma once
#include <optional>

#include "sandbox/os/fd.hpp"

namespace sandbox {

// A new network namespace that belongs to the user namespace of init, with its loopback interface up: to be entered by
// setns(2). Nothing where it cannot be made from here: a kernel before Linux 5.8, or a filter around this process. Then
// init makes it for itself, and its error counts.
std::optional<os::Fd> make_own_network(int init_pidfd);

// Gives it to init, which waits for it on its control socket; without one, init makes its own. An init that has ended
// does not read, and its report says why.
void hand_over_network(const os::Fd& control, const std::optional<os::Fd>& network);

}  // namespace sandbox
