// The limits of a jail that need no cgroup: how long it may run, and how long it may be silent. Tells that one is over;
// what happens then is the caller's.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "sandbox/os/event_loop.hpp"
#include "sandbox/spec/spec.hpp"

namespace runtime::jail {

enum class Limit : std::uint8_t { time, idle };

class LimitWatch {
  public:
    // Called at most once, with a sentence: "not done after its time limit of 90 s".
    using Over = std::function<void(Limit, const std::string&)>;

    // Both begin to run at once.
    LimitWatch(sandbox::os::EventLoop& loop, const sandbox::Limits& limits, Over over);
    ~LimitWatch();
    LimitWatch(const LimitWatch&) = delete;
    LimitWatch& operator=(const LimitWatch&) = delete;

    // What is left to do writes nothing; the time goes on.
    void command_ended() { loop_.cancel(idle_); }
    // Something was written. Cheap: no timer is moved.
    void output() { last_output_ = Clock::now(); }
    // The jail was stopped for so long. The timers are the loop's to move.
    void postpone(std::chrono::steady_clock::duration time) { last_output_ += time; }

  private:
    using Clock = std::chrono::steady_clock;
    void look_for_output();
    void end(Limit which, const std::string& what);

    sandbox::os::EventLoop& loop_;
    sandbox::Limits limits_;
    Over over_;
    Clock::time_point last_output_ = Clock::now();
    sandbox::os::EventLoop::Timer time_ = 0;
    sandbox::os::EventLoop::Timer idle_ = 0;
};

}  // namespace runtime::jail
