#include "runtime/store/run_lock.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/store/store.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::store {

using sandbox::os::Fd;
using sandbox::os::sys;
using sandbox::os::try_sys;

namespace {

std::string lock_of(const std::string& place) {
    return place + "/lock";
}

// 0: nobody holds it.
pid_t owner_of(const Fd& file, const std::string& name) {
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    sys([&] { return ::fcntl(file.get(), F_GETLK, &lock); }, "ask who holds {}", name);
    if (lock.l_type == F_UNLCK) return 0;
    if (lock.l_pid > 0) return lock.l_pid;
    throw StoreError(name +
                     " is held by a process that cannot be seen from here: ask in the PID namespace of the build");
}

}  // namespace

RunLock::RunLock(int store, const std::string& place) {
    const std::string name = lock_of(place);
    constexpr int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    file_ = Fd(sys([&] { return ::openat(store, name.c_str(), flags, 0600); }, "create {}", name));
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    sys([&] { return ::fcntl(file_.get(), F_SETLK, &lock); }, "lock {}", name);
}

std::optional<RunHolder> find_holder(int store, const std::string& place) {
    const std::string name = lock_of(place);
    const long opened = try_sys([&] { return ::openat(store, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC); });
    if (opened == -ENOENT) return std::nullopt;
    if (opened < 0) throw sandbox::os::SysError(static_cast<int>(-opened), "open " + name);
    const Fd file(static_cast<int>(opened));
    const pid_t pid = owner_of(file, name);
    if (pid == 0) return std::nullopt;
    const long pidfd = try_sys([&] { return ::syscall(SYS_pidfd_open, pid, 0); });
    if (pidfd == -ESRCH) return std::nullopt;
    if (pidfd < 0) throw sandbox::os::SysError(static_cast<int>(-pidfd), "open the supervisor of " + place);
    RunHolder holder{pid, Fd(static_cast<int>(pidfd))};
    // It held the lock before and holds it after, so its number has been nobody else's in between.
    if (owner_of(file, name) != pid) return std::nullopt;
    return holder;
}

bool is_supervised(int store, const std::string& place) {
    try {
        return find_holder(store, place).has_value();
    } catch (const StoreError&) {
        return true;
    }
}

}  // namespace runtime::store
