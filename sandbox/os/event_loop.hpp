// One thread's wait for everything at once: descriptors, timers, signals. epoll(7), timerfd, signalfd.
#pragma once
#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "sandbox/os/fd.hpp"

namespace sandbox::os {

class EventLoop {
  public:
    using Callback = std::function<void()>;
    using SignalCallback = std::function<void(int)>;

    EventLoop();

    // Calls `ready` whenever `fd` can be read, has hung up or has failed, until forget(). The descriptor stays the
    // caller's and must be forgotten before it is closed.
    void watch(int fd, Callback ready);
    void forget(int fd);

    // Calls `expired` once, after `delay`. The id is for cancel(); cancelling one that has fired does nothing.
    using Timer = std::uint64_t;
    Timer after(std::chrono::milliseconds delay, Callback expired);
    void cancel(Timer timer);
    // Moves all timers by so much: the time in which this process was stopped is nobody's.
    void postpone(std::chrono::steady_clock::duration time);

    // Blocks these signals and delivers them here instead. They stay blocked when the loop is gone.
    void take_signals(std::initializer_list<int> numbers, SignalCallback arrived);

    // Waits for at least one event and runs its callbacks. A callback may watch, forget and cancel anything.
    void run_once();

  private:
    void read_signals();
    void fire_timers();
    void arm();

    using Clock = std::chrono::steady_clock;
    using Moment = std::pair<Clock::time_point, Timer>;

    Fd epoll_;
    Fd timer_;
    Fd signals_;
    SignalCallback signal_arrived_;
    std::unordered_map<int, std::shared_ptr<Callback>> callbacks_;
    std::map<Moment, Callback> timers_;  // the next one first
    std::unordered_map<Timer, Clock::time_point> moments_;
    Timer next_timer_ = 1;
};

}  // namespace sandbox::os
