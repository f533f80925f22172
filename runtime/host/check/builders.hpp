// Who else builds images on this host, and which of our files they touch.
#pragma once
#include "runtime/host/state/finding.hpp"
#include "runtime/host/state/processes.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

// The places of a build that others should keep out of; absolute paths, empty where there is none.
struct OurPaths {
    std::string store;
    std::string project;  // the pipeline file's directory
    std::string output;
};

// By the names of their programs: that something builds is a hint, and only what it touches makes it more than one. A
// builder with a directory, file or mount in the store is harm; in the project or output, a warning. Throws what
// parse_mounts does.
[[nodiscard]] Findings find_builders(const sandbox::os::HostFiles& host, const std::vector<Process>& processes,
                                     const OurPaths& ours);

// Other builds that use the same store, by the locks that they hold on it (proc_locks(5)).
[[nodiscard]] Findings find_own_builds(const sandbox::os::HostFiles& host, const std::vector<Process>& processes,
                                       const std::string& store);

}  // namespace runtime::host
