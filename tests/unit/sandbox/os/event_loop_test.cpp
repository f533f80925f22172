#include "sandbox/os/event_loop.hpp"

#include <unistd.h>

#include <chrono>
#include <vector>

#include "tests/support/catch.hpp"

using namespace std::chrono_literals;
using sandbox::os::EventLoop;

TEST_CASE("timers come in the order of their moments, equal ones in the order they were set", "[event-loop]") {
    EventLoop loop;
    std::vector<int> fired;
    loop.after(30ms, [&] { fired.push_back(3); });
    loop.after(10ms, [&] { fired.push_back(1); });
    loop.after(20ms, [&] { fired.push_back(2); });
    loop.after(0ms, [&] { fired.push_back(0); });
    while (fired.size() < 4) loop.run_once();
    CHECK(fired == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("a timer that is cancelled does not come, and one that has come can be cancelled", "[event-loop]") {
    EventLoop loop;
    std::vector<int> fired;
    const EventLoop::Timer first = loop.after(1ms, [&] { fired.push_back(1); });
    const EventLoop::Timer second = loop.after(2ms, [&] { fired.push_back(2); });
    loop.after(5ms, [&] { fired.push_back(3); });
    loop.cancel(second);
    loop.cancel(second);
    while (fired.empty()) loop.run_once();
    loop.cancel(first);
    while (fired.size() < 2) loop.run_once();
    CHECK(fired == std::vector<int>{1, 3});
}

TEST_CASE("a callback may set timers and cancel others", "[event-loop]") {
    EventLoop loop;
    std::vector<int> fired;
    EventLoop::Timer never = 0;
    loop.after(1ms, [&] {
        fired.push_back(1);
        loop.cancel(never);
        loop.after(0ms, [&] { fired.push_back(2); });
    });
    never = loop.after(1s, [&] { fired.push_back(9); });
    while (fired.size() < 2) loop.run_once();
    CHECK(fired == std::vector<int>{1, 2});
}

TEST_CASE("timers that are postponed keep their order and their ids", "[event-loop]") {
    EventLoop loop;
    std::vector<int> fired;
    const auto begin = std::chrono::steady_clock::now();
    loop.after(1ms, [&] { fired.push_back(1); });
    const EventLoop::Timer second = loop.after(2ms, [&] { fired.push_back(2); });
    loop.postpone(50ms);
    loop.cancel(second);
    loop.after(3ms, [&] { fired.push_back(0); });
    while (fired.size() < 2) loop.run_once();
    CHECK(fired == std::vector<int>{0, 1});
    CHECK(std::chrono::steady_clock::now() - begin >= 51ms);
}
