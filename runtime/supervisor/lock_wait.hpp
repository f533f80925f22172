// Waiting until another process has let go of a key: inotify(7) on the lock's file says when. A holder that is killed
// closes its descriptors one after the other, the one that is news perhaps before the one that is the lock, so there is
// a second look after a second.
#pragma once
#include <functional>
#include <string>

#include "sandbox/os/event_loop.hpp"
#include "sandbox/os/fd.hpp"

namespace runtime::supervisor {

class LockWait {
  public:
    // Calls `changed`, once, when it is worth trying again.
    LockWait(const std::string& path, sandbox::os::EventLoop& loop, std::function<void()> changed);
    ~LockWait();
    LockWait(const LockWait&) = delete;
    LockWait& operator=(const LockWait&) = delete;

  private:
    void stop();

    sandbox::os::EventLoop& loop_;
    sandbox::os::Fd inotify_;
    sandbox::os::EventLoop::Timer again_ = 0;
};

}  // namespace runtime::supervisor
