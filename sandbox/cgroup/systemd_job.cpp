#include "sandbox/cgroup/systemd_job.hpp"

namespace sandbox {

std::optional<std::string> result_of_job(os::Bus& bus, const std::string& job, std::chrono::milliseconds timeout) {
    const auto end = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() < 0) return std::nullopt;
        auto removed = bus.next_signal(left);
        if (!removed) return std::nullopt;
        removed->skip("u");
        if (removed->read_text() != job) continue;
        removed->skip("s");
        return removed->read_text();
    }
}

}  // namespace sandbox
