// The digest of a local input. A large one takes long, so a process of its own makes it where somebody waits who can be
// interrupted.
#pragma once
#include <signal.h>

#include <string>

#include "runtime/store/tree.hpp"
#include "sandbox/os/problem.hpp"

namespace runtime::engine {

// One of the signals was pending before the digest was there. It still is.
class Interrupted : public sandbox::os::Error {
  public:
    using Error::Error;
};

// Of `path` below `directory`. Throws what is wrong with the input. `ending`: signals that are blocked in this process;
// nothing: whatever ends it ends the work.
store::TreeFacts digest_input(const std::string& directory, const std::string& path, const sigset_t* ending);

}  // namespace runtime::engine
