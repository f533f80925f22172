#include "runtime/engine/stage_usage.hpp"

namespace runtime::engine {
namespace {

// getrusage(2): what is read and written by pages of 512 bytes, of disks only.
constexpr std::uint64_t block = 512;

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

store::Usage by_wait4(const struct rusage& usage) {
    return {.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
            .peak_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024,
            .peak_of = store::PeakOf::largest_process,
            .read_bytes = static_cast<std::uint64_t>(usage.ru_inblock) * block,
            .written_bytes = static_cast<std::uint64_t>(usage.ru_oublock) * block};
}

}  // namespace

store::Usage usage_of(const sandbox::Outcome& outcome, double seconds, const std::optional<jail::Traffic>& traffic) {
    store::Usage usage = by_wait4(outcome.usage);
    usage.seconds = seconds;
    if (traffic) {
        usage.received_bytes = traffic->received;
        usage.sent_bytes = traffic->sent;
    }
    if (!outcome.counted) return usage;
    const sandbox::CgroupUsage& counted = *outcome.counted;
    usage.cpu_seconds = counted.cpu_seconds.value_or(usage.cpu_seconds);
    if (counted.peak_bytes) {
        usage.peak_bytes = *counted.peak_bytes;
        usage.peak_of = store::PeakOf::whole_jail;
    }
    if (counted.read_bytes) usage.read_bytes = *counted.read_bytes;
    if (counted.written_bytes) usage.written_bytes = *counted.written_bytes;
    if (counted.processes && *counted.processes > 0) usage.processes = *counted.processes - 1;  // init is ours
    return usage;
}

}  // namespace runtime::engine
