// A real OpenSSH server on a port of the loopback device, with keys and configuration of its own, run by the tests'
// user for that user alone; and clients that log in to it. Knows nothing of Stagebox.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.hpp"

namespace tests::support {

class Sshd {
  public:
    // `directory`: where keys and logs go; not in /tmp, and deleted by the caller. Throws with the server's own words
    // where it does not start.
    explicit Sshd(std::string directory);

    enum class Terminal : unsigned char { none, allocated };
    // A client that logs in and has the shell command run there. Killing it cuts the connection.
    [[nodiscard]] Start client(const std::string& command, Terminal terminal) const;
    // What the server can give its clients. One that is not root's cannot hand a pseudoterminal to the group tty, so it
    // gives none where the kernel does not make them so (devpts without gid=5, as in containers).
    [[nodiscard]] static Terminal best_terminal();
    // Packages openssh-server and openssh-client are there.
    [[nodiscard]] static bool is_installed();

  private:
    void make_keys() const;
    void start();

    std::string directory_;
    std::string port_;
    std::optional<Process> server_;
};

}  // namespace tests::support
