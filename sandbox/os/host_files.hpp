// The files in which a kernel and an administrator describe a machine: procfs, sysfs, /etc and the rest below the root,
// as directory descriptors. A reader gets them handed in, so that it can be given another machine's. Who looks often
// keeps one.
#pragma once
#include <string>

#include "sandbox/os/fd.hpp"

namespace sandbox::os {

class HostFiles {
  public:
    // This machine's. A directory that is not there, as /sys in some containers, has a descriptor below zero: to open
    // something in it fails, and a reader finds nothing. Throws SysError where one cannot be opened for another reason.
    HostFiles() : HostFiles(std::string()) {}
    // Those below a directory: ROOT/proc, ROOT/sys, ROOT/etc.
    explicit HostFiles(const std::string& root);

    [[nodiscard]] int proc() const noexcept { return proc_.get(); }
    [[nodiscard]] int sys() const noexcept { return sys_.get(); }
    [[nodiscard]] int etc() const noexcept { return etc_.get(); }
    // Of what has no descriptor of its own: "run/systemd/system". Paths begin without a slash.
    [[nodiscard]] int root() const noexcept { return root_.get(); }

  private:
    Fd root_;
    Fd proc_;
    Fd sys_;
    Fd etc_;
};

// What `path`, which is absolute, is called from the root's descriptor: "/run/lock" -> "run/lock", "/" -> ".".
[[nodiscard]] std::string below_root(const std::string& path);

}  // namespace sandbox::os
