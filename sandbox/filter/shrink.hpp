// A compiled filter made small: the same answers from fewer instructions. The kernel walks a filter once for every
// number of every ABI when it is installed, and translates each instruction, so both the longest way and the length are
// time in the start of every jail.
//
// Why this is not left to libseccomp: its own optimisation (SCMP_FLTATR_CTL_OPTIMIZE = 2, a binary tree over the
// numbers) is on already, and works on one filter at a time, so what several filters ask of the same call stays there
// several times. Of what ships, with libseccomp 2.5.4 on x86-64, mandatory.json, the denials for permissions that are
// not granted, and the profile's own file make together, before and after:
//   build.json 1245 -> 299 instructions     strict.json 606 -> 182     host.json 256 -> 159
// The unit test asks both for the same calls and compares the answers.
#pragma once
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// One binary search over ranges of numbers for each architecture; what decides by arguments is there once. Where the
// program is of a kind that cannot be rewritten (see filter/graph.hpp), or would not become smaller, it comes back as
// it is. Throws std::logic_error for a program that the kernel would refuse.
FilterProgram shrink_filter(const FilterProgram& program);

}  // namespace sandbox
