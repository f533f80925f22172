// A machine that refuses system calls, as a container's filter makes it: a small seccomp filter for a program that a
// test starts. Where the test's user may not install one otherwise, no_new_privs is set too, and then newuidmap has no
// power: an ordinary user's jails are of one id there.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tests::support {

struct Refusal {
    long call = 0;            // SYS_*
    int error = 0;            // what it answers
    std::uint32_t flags = 0;  // where not 0: only if the first argument has one of these bits
};

// For Start::in_child.
std::function<void()> refusing(const std::vector<Refusal>& refusals);

// The ways of mapping ids that this user has below such a filter.
std::vector<std::string> ids_below_filter();

}  // namespace tests::support
