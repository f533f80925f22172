// The root that `stagebox run --root` names: a directory, a tar archive, or a stage of a pipeline.
#pragma once
#include <memory>
#include <string>

#include "runtime/cli/run/options.hpp"
#include "sandbox/os/fd.hpp"

namespace runtime::cli {

// What has to stay as long as the jail does. Its end discards what was unpacked.
class RunRoot {
  public:
    // DIR; a regular file: an archive that tar(1) can read; FILE:STAGE: what that stage has made, in the store. Puts
    // the root, the kernel's file systems and the request's other mounts into its spec. The id map of the spec is
    // known; that of a stage is the stage's. Throws std::invalid_argument for what is none of them.
    explicit RunRoot(RunRequest& request);
    RunRoot(const RunRoot&) = delete;
    RunRoot& operator=(const RunRoot&) = delete;
    ~RunRoot();

  private:
    struct Unpacked;
    sandbox::Mount find(RunRequest& request);
    sandbox::Mount unpack(const RunRequest& request, const std::string& archive);

    std::unique_ptr<Unpacked> unpacked_;
    sandbox::os::Fd shared_;
};

}  // namespace runtime::cli
