// One thing tried in a throw-away child, inside probe/probe.hpp only.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/ids/idmap.hpp"
#include "sandbox/probe/finding.hpp"

namespace sandbox {

// What came of it; error 0: it works.
struct Attempt {
    int error = 0;
    os::Problem problem = {};  // "mount proc: Operation not permitted"; a remedy where the id map itself was refused
    [[nodiscard]] bool works() const { return error == 0; }
};

// Where the child runs: with `ids`, as uid 0 of a user namespace of its own, and then in the other
// namespaces.
struct Surroundings {
    std::optional<IdMap> ids;
    std::optional<ExtraId> own;
    int namespaces = 0;  // CLONE_NEW*, without CLONE_NEWUSER
};

// Runs `body` in a child; an exception of os::SysError's is what failed. Two processes with CLONE_NEWPID.
[[nodiscard]] Attempt attempt(const Surroundings& where, const std::function<void()>& body);

// The probes that need a jail's namespaces, in probe/jail.cpp: user namespace, maps, mounts, proc, overlay,
// network.
[[nodiscard]] std::vector<Finding> probe_jail(const std::string& store_path);

}  // namespace sandbox
