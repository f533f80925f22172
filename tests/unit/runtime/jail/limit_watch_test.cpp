#include "runtime/jail/limit_watch.hpp"

#include "tests/support/catch.hpp"

using namespace runtime::jail;
using sandbox::os::EventLoop;

namespace {

// What a watch tells while its loop runs until then.
struct Told {
    std::vector<std::pair<Limit, std::string>> all;
    [[nodiscard]] LimitWatch::Over over() {
        return [this](Limit which, const std::string& text) { all.emplace_back(which, text); };
    }
};

// Shortens the waiting: for the loop's timers, and the watch, time has passed.
void pass(EventLoop& loop, std::chrono::seconds time) {
    loop.postpone(-time);
    loop.run_once();
}

}  // namespace

TEST_CASE("a time limit ends a jail however much it writes", "[limits]") {
    EventLoop loop;
    Told told;
    sandbox::Limits limits;
    limits.time = std::chrono::seconds(90);
    limits.idle = std::chrono::seconds(500);
    LimitWatch watch(loop, limits, told.over());
    watch.output();
    pass(loop, std::chrono::seconds(90));
    REQUIRE(told.all.size() == 1);
    CHECK(told.all[0].first == Limit::time);
    CHECK(told.all[0].second == "not done after its time limit of 90 s");
}

TEST_CASE("an idle limit counts from the last output", "[limits]") {
    EventLoop loop;
    Told told;
    sandbox::Limits limits;
    limits.idle = std::chrono::seconds(30);
    LimitWatch watch(loop, limits, told.over());
    watch.output();
    pass(loop, std::chrono::seconds(30));
    INFO("something was written a moment ago");
    CHECK(told.all.empty());
    watch.postpone(-std::chrono::seconds(31));
    pass(loop, std::chrono::seconds(30));
    REQUIRE(told.all.size() == 1);
    CHECK(told.all[0].first == Limit::idle);
    CHECK(told.all[0].second == "wrote nothing for 30 s, its idle limit");
}
