// A build in a session of its own: what ends the caller's, a hangup or a Ctrl-C at its terminal, does not reach it.
#pragma once
#include <functional>
#include <string>

#include "runtime/report/console.hpp"

namespace runtime::supervisor {

// Told once, when the build has begun: where the run is in the store, and what it is shown on.
using Begun = std::function<void(const std::string& place, report::Console& console)>;

// Calls `work` in a process of its own. That one's messages, and its exit code where it ends before, are the caller's
// until it has begun; then it leaves the caller's session and streams, and the caller prints the run's name on standard
// output and returns 0. In the new process it returns what `work` returns, and throws what it throws. For a process of
// one thread.
int run_detached(const std::function<int(const Begun& begun)>& work);

}  // namespace runtime::supervisor
