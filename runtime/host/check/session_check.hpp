// The look at the host before a build: whose session it is, who else builds, what other scripts left, permissions and
// space.
#pragma once
#include "runtime/host/check/builders.hpp"
#include "runtime/host/check/session.hpp"
#include "sandbox/os/host_files.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/mountinfo.hpp"

namespace runtime::host {

// What has been seen already, borrowed.
struct Scene {
    const sandbox::os::HostFiles& host;
    const sandbox::os::MountTable& mounts;
    const std::vector<Process>& processes;
};

// `expected`: how many bytes the build will put into the store; 0: nobody knows.
[[nodiscard]] Findings check_host(const Scene& scene, const OurPaths& ours, double expected = 0);

[[nodiscard]] bool has_harm(const Findings& findings);
// One finding: "warning: TEXT", and the remedy on a line of its own.
[[nodiscard]] std::string to_text(const Finding& finding);
// {"session": {"kind", "why"}, "safe", "findings": [{"severity", "topic", "text", "remedy"}]}
[[nodiscard]] sandbox::os::Json to_json(const Session& session, const Findings& findings);

}  // namespace runtime::host
