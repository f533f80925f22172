// Which kind of session a run was started from: one line for its log. First form: from the environment, the
// process's ancestors and its terminal.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/session/host_state.hpp"

namespace runtime::session {

enum class SessionKind : std::uint8_t { ssh, x11, wayland, console, ci, container, none };

struct Session {
    SessionKind kind = SessionKind::none;
    std::string why;
};

// What is looked at.
struct SessionFacts {
    std::function<const char*(const char*)> variable;  // getenv(3); null: not set
    std::vector<std::string> ancestors;                // names of processes, the nearest first
    int terminal = 0;                                  // device number of the controlling terminal
    std::string container_mark;                        // the file that marks a container; empty: none
};

[[nodiscard]] SessionFacts read_session_facts(const std::vector<Process>& processes);

// The first that fits, in this order: ci, ssh, wayland, x11, console, container, none. What is nearest to the
// person decides: a login by ssh into a machine with a desktop is ssh, and so is one in a container.
[[nodiscard]] Session classify(const SessionFacts& facts);

// "session: ssh (SSH_CONNECTION is set)"
[[nodiscard]] std::string describe(const Session& session);

}  // namespace runtime::session
