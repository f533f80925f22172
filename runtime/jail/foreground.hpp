// One jail in the foreground of a terminal or a script: signals are passed on, the exit code is the command's.
#pragma once
#include <functional>

#include "runtime/jail/denial_watch.hpp"
#include "runtime/jail/user_network.hpp"
#include "sandbox/launch/launch.hpp"
#include "sandbox/spec/spec.hpp"

namespace runtime::jail {

// What is heard of the calls that the jail's filter denies (Spec::denials). Where the command does not end with 0, they
// are told on standard error too.
struct Hearing {
    jail::NoticeHandlers handlers = {};
    // After the jail's end; may be empty.
    std::function<void(const jail::DenialLog&)> at_end = {};
};

// Who wants to follow a jail's life; what is empty is not called.
struct Follower {
    jail::BeforeBuilding before_start = {};
    sandbox::WhenCloned when_cloned = {};
    std::function<void()> started = {};  // the command runs
};

// Runs the command in the jail and waits for it. Errors of the jail are told on standard error.
// The command's own exit code; 128+N; 126 or 127; 125 where the jail could not be built. Throws where a limit cannot be
// kept.
int run_in_foreground(sandbox::BuildSpec spec, const sandbox::Command& command, const Hearing& hearing = {},
                      const Follower& follower = {});

// The same on a terminal of the jail's own, relayed to the caller's streams: nothing the payload does to its terminal
// reaches the outer one, and the window's size follows. Where standard input is no terminal, its end is the terminal's.
int run_on_terminal(sandbox::BuildSpec spec, sandbox::Command command, const Follower& follower = {});

}  // namespace runtime::jail
