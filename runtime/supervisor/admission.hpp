// Which stages may run beside each other: by what each used in its last run, and what the machine has. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/store/ledger.hpp"
#include "sandbox/spec/spec.hpp"

namespace runtime::supervisor {

// What a stage is expected to use: of one that has never run, nothing is known, and that keeps nobody waiting.
struct Expected {
    double processors = 0;         // on average
    std::uint64_t bytes = 0;       // of memory, at its peak
    std::uint64_t made_bytes = 0;  // on the disk
    bool operator==(const Expected&) const = default;
};

// By the last run that ended well. More than its limits it will not get.
Expected expected_of(std::span<const store::LedgerEntry> entries, const sandbox::Limits& limits);

struct Machine {
    double processors = 1;
    // Memory that can be had without swapping (MemAvailable, proc_meminfo(5)): when none of our stages ran, and now.
    std::uint64_t bytes_at_rest = 0;
    std::uint64_t bytes_now = 0;
    std::uint64_t free_disk = 0;  // of the store's file system
};

// Nothing where `next` may start beside what runs; else why it waits. With nothing running, it may always.
// Of memory: all peaks together are within what there was at rest, and its own within what there is now. Of processors:
// half a one more than there are is not too much.
std::optional<std::string> why_wait(const Expected& next, std::span<const Expected> running, const Machine& machine);
// What will not fit even alone, a sentence each.
std::vector<std::string> what_will_not_fit(const Expected& next, const Machine& machine);

}  // namespace runtime::supervisor
