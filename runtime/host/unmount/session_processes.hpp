// Which processes are of the session that a command was given in, and must find the host as it was.
#pragma once
#include <set>

#include "runtime/host/unmount/holders.hpp"

namespace runtime::host {

// A process is of the caller's session if it is the caller or one of its ancestors (the shell, the terminal, sshd); is
// in the same session of setsid(2) as one of them; or is in the same user's slice (systemd.slice(5)), if the caller is
// in one. But not what a build has left: its root directory is in the tree, and no terminal is its own.
class SessionProcesses {
  public:
    SessionProcesses(const std::vector<Process>& processes, pid_t caller, std::string directory);
    // That what it holds is the session's.
    [[nodiscard]] bool contains(const Hold& hold) const;

  private:
    const std::vector<Process>& processes_;
    std::set<pid_t> ancestors_;  // with the caller
    std::set<pid_t> sessions_;
    std::string slice_;  // "/user.slice/user-1000.slice"; empty: none
    std::string directory_;
};

}  // namespace runtime::host
