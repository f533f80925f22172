// Files beside the pipeline file: that a path written there leads to something that can be used, and never
// out of the pipeline's directory. Knows nothing of TOML or of stages.
#pragma once
#include <string>

#include "sandbox/os/fd.hpp"

namespace stages {

class LocalFiles {
  public:
    // `directory` is absolute.
    explicit LocalFiles(const std::string& directory);

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

    sandbox::os::Fd directory_;
};

}  // namespace stages
