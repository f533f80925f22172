#include "runtime/supervisor/lock_wait.hpp"

#include <sys/inotify.h>

#include "sandbox/os/sys.hpp"

namespace runtime::supervisor {

LockWait::LockWait(const std::string& path, sandbox::os::EventLoop& loop, std::function<void()> changed)
    : loop_(loop),
      inotify_(sandbox::os::sys([] { return ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }, "wait for a lock")) {
    // A holder that ends, also by SIGKILL, closes the file it had open for writing; one that is done removes it first.
    const long watching = sandbox::os::try_sys(
        [&] { return ::inotify_add_watch(inotify_.get(), path.c_str(), IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF); });
    const auto once = [this, changed = std::move(changed)] {
        stop();
        changed();
    };
    loop_.watch(inotify_.get(), once);
    again_ = loop_.after(std::chrono::milliseconds(watching < 0 ? 0 : 1000), once);
}

LockWait::~LockWait() {
    stop();
}

void LockWait::stop() {
    loop_.cancel(again_);
    loop_.forget(inotify_.get());
}

}  // namespace runtime::supervisor
