#include "runtime/jail/limit_watch.hpp"

#include <utility>

#include "sandbox/os/format.hpp"

namespace runtime::jail {

using sandbox::os::format;

LimitWatch::LimitWatch(sandbox::os::EventLoop& loop, const sandbox::Limits& limits, Over over)
    : loop_(loop), limits_(limits), over_(std::move(over)) {
    if (limits_.time) {
        time_ = loop_.after(*limits_.time, [this] {
            end(Limit::time, format("not done after its time limit of {} s", limits_.time->count()));
        });
    }
    if (limits_.idle) idle_ = loop_.after(*limits_.idle, [this] { look_for_output(); });
}

LimitWatch::~LimitWatch() {
    loop_.cancel(time_);
    loop_.cancel(idle_);
}

void LimitWatch::look_for_output() {
    const auto silent = Clock::now() - last_output_;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*limits_.idle - silent);
    if (left.count() > 0) {
        idle_ = loop_.after(left, [this] { look_for_output(); });
    } else {
        end(Limit::idle, format("wrote nothing for {} s, its idle limit", limits_.idle->count()));
    }
}

void LimitWatch::end(Limit which, const std::string& what) {
    loop_.cancel(time_);
    loop_.cancel(idle_);
    over_(which, what);
}

}  // namespace runtime::jail
