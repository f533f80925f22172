#include "runtime/supervisor/admission.hpp"

#include <algorithm>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::supervisor {
namespace {

using sandbox::os::format;

constexpr double spare = 0.5;

std::string bytes(std::uint64_t number) {
    return sandbox::os::human_bytes(static_cast<double>(number));
}

}  // namespace

Expected expected_of(std::span<const store::LedgerEntry> entries, const sandbox::Limits& limits) {
    Expected expected;
    for (const store::LedgerEntry& entry : entries) {
        if (entry.result != "built") continue;
        const store::Usage& usage = entry.usage;
        expected = {.processors = usage.seconds > 0 ? usage.cpu_seconds / usage.seconds : 0,
                    .bytes = usage.peak_bytes,
                    .made_bytes = entry.made_bytes};
    }
    if (limits.memory) expected.bytes = std::min(expected.bytes, *limits.memory);
    if (limits.cpu) expected.processors = std::min(expected.processors, *limits.cpu / 1000.0);
    return expected;
}

std::optional<std::string> why_wait(const Expected& next, std::span<const Expected> running, const Machine& machine) {
    if (running.empty()) return std::nullopt;
    // No stage is wider than the machine, whatever it was when it ran last.
    const auto wide = [&](const Expected& one) { return std::min(one.processors, machine.processors); };
    Expected together;
    for (const Expected& one : running) {
        together.processors += wide(one);
        together.bytes += one.bytes;
    }
    const std::uint64_t left = machine.bytes_at_rest - std::min(machine.bytes_at_rest, together.bytes);
    const std::uint64_t there = std::min(left, machine.bytes_now);
    if (next.bytes > there) {
        return format("it is expected to need {} of memory, and beside what runs there are {}", bytes(next.bytes),
                      bytes(there));
    }
    if (together.processors + wide(next) > machine.processors + spare) {
        return format("it is expected to keep {:.1f} processors busy, and what runs has {:.1f} of {:.0f}", wide(next),
                      together.processors, machine.processors);
    }
    return std::nullopt;
}

std::vector<std::string> what_will_not_fit(const Expected& next, const Machine& machine) {
    std::vector<std::string> sentences;
    if (next.bytes > machine.bytes_now) {
        sentences.push_back(format("it used {} of memory when it ran last, and {} can be had now", bytes(next.bytes),
                                   bytes(machine.bytes_now)));
    }
    if (next.made_bytes > machine.free_disk) {
        sentences.push_back(format("it made {} when it ran last, and {} are free where the store is",
                                   bytes(next.made_bytes), bytes(machine.free_disk)));
    }
    return sentences;
}

}  // namespace runtime::supervisor
