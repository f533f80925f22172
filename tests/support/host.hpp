// The host as a test sees it from outside every jail: its processes, its mounts, a port of its loopback
// device, and a canary tree that nothing may change.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "sandbox/os/fd.hpp"

namespace tests::support {

// Processes, other than this one, one of whose arguments contains `marker`. Jails are seen too: theirs are
// processes of the host like any other.
std::vector<pid_t> processes_with(const std::string& marker);
// Lines of the host's mount table that contain `text`.
std::vector<std::string> mounts_with(const std::string& text);
// Asks again and again, at most so long; whether the condition came true.
bool becomes_true(const std::function<bool()>& condition, std::chrono::milliseconds limit);
// A word that no other test and no other run has.
std::string unique_marker();

// A machine without something that a test needs: said, and a failure where STAGEBOX_TESTS_COMPLETE is set, so
// that a machine that ought to have everything cannot pass by having less.
void unavailable(const std::string& what);

// Listens on 127.0.0.1, on a port of the kernel's choice, and on the abstract socket @name().
class Listener {
  public:
    Listener();
    [[nodiscard]] std::string port() const;
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

  private:
    sandbox::os::Fd inet_;
    sandbox::os::Fd unix_;
    std::string name_;
};

// A tree outside of everything that a jail is shown, with a file, a directory and a link.
class Canary {
  public:
    explicit Canary(std::string path);
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    // Names, types, modes, owners, times, contents and link targets are as they were at first.
    [[nodiscard]] bool is_unchanged() const;

  private:
    std::string path_;
    std::string before_;
};

}  // namespace tests::support
