// Files that come with a pipeline file: that a path written there leads to something that can be used, and never out
// of the directory that it is looked for in. Knows nothing of TOML or of stages.
#pragma once
#include <string>

#include "sandbox/os/fd.hpp"

namespace stages {

class LocalFiles {
  public:
    // `directory` is absolute; `called`: how messages name it.
    explicit LocalFiles(const std::string& directory, std::string called = "the pipeline's directory");

    // Why the file or directory cannot be an input, empty where it can. `path` is clean and relative.
    [[nodiscard]] std::string input_fault(const std::string& path) const;
    // Why the file cannot be a stage's script, empty where it can.
    [[nodiscard]] std::string script_fault(const std::string& path) const;
    [[nodiscard]] bool exists(const std::string& path) const;
    // Opens it, O_CLOEXEC added; throws SysError. The file may have changed since it was checked, but it is
    // still beneath the directory, or EXDEV.
    [[nodiscard]] sandbox::os::Fd open(const std::string& path, int flags) const;

  private:
    // The descriptor, or -errno.
    [[nodiscard]] long open_beneath(const std::string& path, int flags) const;

    [[nodiscard]] std::string fault_of(long opened) const;

    sandbox::os::Fd directory_;
    std::string called_;
};

// The two places of files that come with a pipeline.
struct ProjectFiles {
    LocalFiles beside;   // the pipeline file
    LocalFiles project;  // that inputs come from
};

}  // namespace stages
