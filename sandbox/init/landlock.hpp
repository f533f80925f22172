// The second fence: Landlock (landlock(7)). Under the rules of init/child.cpp.
#pragma once
#include "sandbox/spec/fence.hpp"

namespace sandbox {

// A Landlock domain in which only what lies below / and the three standard streams can be opened (Fence::on), and, from
// ABI 6 on, only processes and abstract sockets of the same domain reached. Answers its descriptor, or fence_missing
// where this kernel's Landlock is too old for it.
inline constexpr long fence_missing = -95;  // EOPNOTSUPP
long make_fence(Fence kind, const int (&streams)[3]) noexcept;

}  // namespace sandbox
