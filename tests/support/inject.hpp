// Faults, put where they are wanted: a program is run under ptrace(2), with every process that it makes; one system
// call of one of them fails, or somebody is killed when it is made. Knows nothing of Stagebox. For x86-64.
#pragma once
#include <chrono>
#include <compare>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/process.hpp"

namespace tests::support {

// Whether this program is instrumented by AddressSanitizer and UBSan, and with it the one it tests.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

// The count-th call (from 0) with that number, of the process-th process: 0 is the program itself, the others are
// counted as they appear.
struct CallSite {
    int process = 0;
    long number = 0;
    int count = 0;
    auto operator<=>(const CallSite&) const = default;  // NOLINT(modernize-use-nullptr): the compiler's own 0
};

enum class FaultKind : unsigned char {
    error,        // the call is not made, and answers an error
    kill_caller,  // SIGKILL for the process that is about to make it
    kill_first,   // SIGKILL for the program itself; the caller goes on
};

struct Fault {
    CallSite site;
    FaultKind kind = FaultKind::error;
    int error = 0;
    std::function<void()> before = {};  // called when the site is reached
};

struct Traced {
    Result result;  // of the program itself
    // In the order in which they were made. A child of a child that executes a program is let go: what it calls from
    // there on is neither stopped nor listed. So is who executes a program with rights of its own, which it would not
    // get under a tracer. Without what a sanitizer calls for itself.
    std::vector<CallSite> calls;
    std::set<CallSite> creating;        // of them, those of openat(2) with O_CREAT
    std::size_t calls_before_exec = 0;  // how many were made up to the exec of the last process that was let go
    bool is_met = false;                // the fault's site was reached
    bool is_all_gone = false;           // within a second of the program's end so was every process that was not let go
};

// Runs a program to its end; throws where `limit` is not enough. Its output is at most what pipes hold.
Traced run_traced(const Start& start, const std::optional<Fault>& fault = std::nullopt,
                  std::chrono::seconds limit = std::chrono::seconds(10));

// True where a test may trace: not everywhere may processes look into each other (containers, Yama).
bool can_trace();

}  // namespace tests::support
