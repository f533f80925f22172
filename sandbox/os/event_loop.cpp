#include "sandbox/os/event_loop.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <vector>

#include "sandbox/os/sys.hpp"

namespace sandbox::os {

EventLoop::EventLoop()
    : epoll_(sys([] { return ::epoll_create1(EPOLL_CLOEXEC); }, "make an event loop")),
      timer_(sys([] { return ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); }, "make a timer")) {
    watch(timer_.get(), [this] { fire_timers(); });
}

void EventLoop::watch(int fd, Callback ready) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    sys([&] { return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event); }, "watch descriptor {}", fd);
    callbacks_[fd] = std::make_shared<Callback>(std::move(ready));
}

void EventLoop::forget(int fd) {
    if (callbacks_.erase(fd) == 0) return;
    sys([&] { return ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }, "forget descriptor {}", fd);
}

EventLoop::Timer EventLoop::after(std::chrono::milliseconds delay, Callback expired) {
    const Timer id = next_timer_++;
    const Clock::time_point when = Clock::now() + delay;
    moments_.emplace(id, when);
    const auto added = timers_.emplace(Moment(when, id), std::move(expired)).first;
    if (added == timers_.begin()) arm();
    return id;
}

void EventLoop::cancel(Timer timer) {
    const auto known = moments_.find(timer);
    if (known == moments_.end()) return;
    const auto pending = timers_.find({known->second, timer});
    const bool is_next = pending == timers_.begin();
    timers_.erase(pending);
    moments_.erase(known);
    if (is_next) arm();
}

void EventLoop::postpone(Clock::duration time) {
    std::map<Moment, Callback> later;
    for (auto& [moment, expired] : timers_) {
        later.emplace(Moment(moment.first + time, moment.second), std::move(expired));
    }
    timers_ = std::move(later);
    for (auto& [id, when] : moments_) when += time;
    arm();
}

// One timerfd stands at the next moment of all.
void EventLoop::arm() {
    itimerspec when{};
    if (!timers_.empty()) {
        const auto left = std::max(timers_.begin()->first.first - Clock::now(), Clock::duration(1));
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
        when.it_value.tv_sec = seconds.count();
        when.it_value.tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(left - seconds).count();
    }
    sys([&] { return ::timerfd_settime(timer_.get(), 0, &when, nullptr); }, "set a timer");
}

void EventLoop::fire_timers() {
    std::uint64_t expirations = 0;
    try_sys([&] { return ::read(timer_.get(), &expirations, sizeof expirations); });
    const auto now = Clock::now();
    std::vector<Callback> due;
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
        due.push_back(std::move(timers_.begin()->second));
        moments_.erase(timers_.begin()->first.second);
        timers_.erase(timers_.begin());
    }
    arm();
    for (const Callback& expired : due) expired();
}

void EventLoop::take_signals(std::initializer_list<int> numbers, SignalCallback arrived) {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : numbers) sigaddset(&set, number);
    sys([&] { return ::sigprocmask(SIG_BLOCK, &set, nullptr); }, "block signals");
    signals_ = Fd(sys([&] { return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK); }, "make a signalfd"));
    signal_arrived_ = std::move(arrived);
    watch(signals_.get(), [this] { read_signals(); });
}

void EventLoop::read_signals() {
    signalfd_siginfo info{};
    while (try_sys([&] { return ::read(signals_.get(), &info, sizeof info); }) == sizeof info) {
        signal_arrived_(static_cast<int>(info.ssi_signo));
    }
}

void EventLoop::run_once() {
    epoll_event events[32];
    const int count = sys([&] { return ::epoll_wait(epoll_.get(), events, 32, -1); }, "wait for events");
    for (int i = 0; i < count; ++i) {
        const auto found = callbacks_.find(events[i].data.fd);
        if (found == callbacks_.end()) continue;  // forgotten by a callback of this round
        const auto keep_alive = found->second;
        (*keep_alive)();
    }
}

}  // namespace sandbox::os
