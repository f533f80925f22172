// Who supervises a run: a lock on runs/RUN/lock that its supervisor holds as long as it lives. It is fcntl(2)'s record
// lock: the kernel names its owner, no child inherits it, and it ends with the process, however that ends. So there is
// no process id in a file that could be an old one. Knows nothing of what a run writes.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>

#include "sandbox/os/fd.hpp"

namespace runtime::store {

class RunLock {
  public:
    // `place`: of the run, relative to the store's directory. This process must not open the file again: closing it
    // anywhere lets the lock go.
    RunLock(int store, const std::string& place);

  private:
    sandbox::os::Fd file_;
};

struct RunHolder {
    pid_t pid = 0;
    sandbox::os::Fd pidfd;  // of exactly that process; readable when it has ended
};

// The supervisor of a run that goes on; nothing where it has ended. Throws StoreError where it is a process that cannot
// be seen from here, in another PID namespace.
std::optional<RunHolder> find_holder(int store, const std::string& place);

// Whether it goes on. One that cannot be seen from here does: nobody here is to clear up after it.
bool is_supervised(int store, const std::string& place);

}  // namespace runtime::store
