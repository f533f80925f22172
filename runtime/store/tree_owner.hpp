// The owner that a fakeroot wrote down beside a file (sandbox/fakeroot/owner.hpp), read from a tree that no process
// writes any more. Shared by the parts of tree.hpp.
#pragma once
#include <optional>

#include "runtime/store/tree_walk.hpp"
#include "sandbox/fakeroot/owner.hpp"

namespace runtime::store {

std::optional<sandbox::Owner> recorded_owner(const TreeEntry& entry);

}  // namespace runtime::store
