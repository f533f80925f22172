// Follows what a run shows while it goes on.
#pragma once
#include <string>

#include "runtime/cli/runs.hpp"
#include "sandbox/os/event_loop.hpp"
#include "sandbox/os/fd.hpp"

namespace runtime::cli {

// Copies a run's console log to standard output while it grows, until the run's supervisor has ended.
class RunFollower {
  public:
    RunFollower(const store::Store& store, const std::string& run);

    [[nodiscard]] bool is_running() const { return holder_.has_value(); }
    // Leaves out what is before the last so many lines.
    void skip_to_last(std::size_t lines);
    // What is there and was not copied yet.
    void copy();
    // Returns when the run is over, or when leave() was called.
    void follow(sandbox::os::EventLoop& loop);
    void leave() { has_left_ = true; }
    [[nodiscard]] bool has_left() const { return has_left_; }
    // Sends it to the run's supervisor.
    void signal(int number);

  private:
    sandbox::os::Fd log_;
    sandbox::os::Fd inotify_;
    Holder holder_;
    bool has_left_ = false;
};

}  // namespace runtime::cli
