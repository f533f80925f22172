// Which kind of session a run was started from: as logind knows it where that answers, else from the environment, the
// process's ancestors and its terminal.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/host/state/processes.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

enum class SessionKind : std::uint8_t { ssh, x11, wayland, console, ci, container, none };

struct Session {
    SessionKind kind = SessionKind::none;
    std::string why;
};

// org.freedesktop.login1(5): the session that this process is in.
struct Login {
    std::string id;
    std::string type;  // tty, x11, wayland, mir, web, unspecified
    std::string seat;  // empty: none, as with ssh
    std::string service;
    bool is_remote = false;
};

// Nothing where logind does not answer, or has no session for this process.
[[nodiscard]] std::optional<Login> find_login();

// What is looked at.
struct SessionFacts {
    std::function<const char*(const char*)> variable;  // getenv(3); null: not set
    std::vector<std::string> ancestors;                // names of processes, the nearest first
    int terminal = 0;                                  // device number of the controlling terminal
    std::string container_mark;                        // the file that marks a container; empty: none
    std::optional<Login> login = {};
};

[[nodiscard]] SessionFacts read_session_facts(const sandbox::os::HostFiles& host,
                                              const std::vector<Process>& processes);

// What logind says of the session, if it says a kind. Else the first that fits, in this order: ci, ssh, wayland, x11,
// console, container, none. What is nearest to the
// person decides: a login by ssh into a machine with a desktop is ssh, and so is one in a container.
[[nodiscard]] Session classify(const SessionFacts& facts);

[[nodiscard]] const char* name_of(SessionKind kind);
// "session: ssh (SSH_CONNECTION is set)"
[[nodiscard]] std::string describe(const Session& session);

}  // namespace runtime::host
