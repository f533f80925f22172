// Files by which a user tells Stagebox what it may do. They count only where nobody else can have written them: the
// directory and the file are the caller's own, and others may not write them. Knows nothing of what is in them.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "sandbox/os/fd.hpp"

namespace runtime::consent {

class OwnDirectory {
  public:
    // The place need not be there. Throws ConfigError where somebody else could have written in it.
    explicit OwnDirectory(std::string path);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    // Nothing where there is no such file. Throws ConfigError where somebody else could have written it, and for what
    // is no regular file; and SysError.
    [[nodiscard]] std::optional<std::string> read(const std::string& name) const;
    // In one step; makes the directory, with mode 0700, where there is none. Throws ConfigError and SysError.
    void write(const std::string& name, std::string_view content);

  private:
    void open();

    std::string path_;
    sandbox::os::Fd directory_;  // none where there is none
};

}  // namespace runtime::consent
