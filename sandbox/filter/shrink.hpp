// A compiled filter made small: the same answers from fewer instructions. The kernel walks a filter once for every number
// of every ABI when it is installed, and translates each instruction, so both the longest way and the length are time in
// the start of every jail.
#pragma once
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// One binary search over ranges of numbers for each architecture; what decides by arguments is there once. Where the
// program is of a kind that cannot be rewritten (see filter/graph.hpp), or would not become smaller, it comes back as it
// is. Throws std::logic_error for a program that the kernel would refuse.
FilterProgram shrink_filter(const FilterProgram& program);

}  // namespace sandbox
