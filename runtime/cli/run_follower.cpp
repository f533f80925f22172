#include "runtime/cli/run_follower.hpp"

#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::cli {

using sandbox::os::Fd;

RunFollower::RunFollower(const store::Store& store, const std::string& run)
    : log_(sandbox::os::open_to_read(store.directory(), "runs/" + run + "/console.log")),
      holder_(holder_of(store, run)) {
    inotify_ = Fd(sandbox::os::sys([] { return ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }, "follow a log"));
    const std::string path = sandbox::os::format("{}/runs/{}/console.log", store.path(), run);
    sandbox::os::sys([&] { return ::inotify_add_watch(inotify_.get(), path.c_str(), IN_MODIFY); }, "follow {}", path);
}

void RunFollower::skip_to_last(std::size_t lines) {
    const std::string text = sandbox::os::read_all(log_.get(), "the log");
    std::size_t begin = text.size();
    for (std::size_t i = 0; i < lines && begin > 1; ++i) begin = text.rfind('\n', begin - 2) + 1;  // npos + 1 is 0
    sandbox::os::sys([&] { return ::lseek(log_.get(), static_cast<off_t>(begin), SEEK_SET); }, "read the log");
}

void RunFollower::copy() {
    const std::string text = sandbox::os::read_all(log_.get(), "the log");
    sandbox::os::write_all(1, text, "to standard output");
}

void RunFollower::follow(sandbox::os::EventLoop& loop) {
    if (!holder_) return;
    bool has_ended = false;
    loop.watch(inotify_.get(), [this] {
        char events[4096];
        while (sandbox::os::try_sys([&] { return ::read(inotify_.get(), events, sizeof events); }) > 0) {
        }
        copy();
    });
    loop.watch(holder_->pidfd.get(), [&] { has_ended = true; });
    copy();
    while (!has_ended && !has_left_) loop.run_once();
    loop.forget(holder_->pidfd.get());
    loop.forget(inotify_.get());
    copy();
}

void RunFollower::signal(int number) {
    if (holder_) ::syscall(SYS_pidfd_send_signal, holder_->pidfd.get(), number, nullptr, 0);
}

}  // namespace runtime::cli
