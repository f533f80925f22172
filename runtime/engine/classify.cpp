#include "runtime/engine/classify.hpp"

#include <errno.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "runtime/engine/output_patterns.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace runtime::engine {
namespace {

using namespace std::chrono_literals;
using sandbox::os::format;

// A file system with less room than this is full for any purpose.
constexpr std::uint64_t full_below = std::uint64_t{64} * 1024;
// A denied call that came within this time before the end may have been the reason for it.
constexpr auto just_before = 1s;

struct Found {
    FailureClass kind;
    std::string by;
};

// The number of the signal that ended the command: its own, or that of the last program of a shell, whose exit code is
// then 128 + N. Only signals that stand for a crash or a kill: programs have other uses for codes from 128.
int signal_of(const EndFacts& facts) {
    if (!facts.how.has_exited()) return facts.how.shell_code() - 128;
    constexpr std::array fatal = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};
    return std::ranges::find(fatal, facts.how.status - 128) != fatal.end() ? facts.how.status - 128 : 0;
}

std::string count(std::uint64_t number, const char* one, const char* many) {
    return format("{} {}", number, number == 1 ? one : many);
}

bool is_at_memory_limit(const EndFacts& facts) {
    return facts.limits.memory && facts.peak_bytes >= *facts.limits.memory / 100 * 97;
}

std::optional<Found> by_limits(const EndFacts& facts) {
    if (facts.over) {
        return Found{*facts.over == jail::Limit::time ? FailureClass::wall_time : FailureClass::idle_time, "the limit"};
    }
    if (facts.oom_kills > 0) {
        return Found{FailureClass::out_of_memory, format("the cgroup: {} killed for want of memory",
                                                         count(facts.oom_kills, "process", "processes"))};
    }
    if (signal_of(facts) == SIGKILL && is_at_memory_limit(facts)) {
        return Found{FailureClass::out_of_memory, "SIGKILL, with the memory at its limit"};
    }
    return std::nullopt;
}

std::optional<Found> by_end(const EndFacts& facts) {
    const int number = signal_of(facts);
    if (number == SIGSYS) return Found{FailureClass::denied_call, "SIGSYS"};
    if (number != 0) return Found{FailureClass::signal, format("signal {}", number)};
    if (facts.how.has_exited(127)) return Found{FailureClass::command_not_found, "exit code 127"};
    return std::nullopt;
}

std::optional<Found> by_denial_and_words(const jail::DenialLog& denials, const std::deque<std::string>& lines) {
    for (const jail::Denial& denial : denials.denials()) {
        if (denial.kind.error <= 0) continue;
        const std::string_view words = ::strerror(denial.kind.error);
        for (const std::string& line : lines) {
            if (line.find(words) == line.npos) continue;
            return Found{FailureClass::denied_call,
                         format("{} was denied, and its output says: {}", denial.kind.call, line)};
        }
    }
    return std::nullopt;
}

std::optional<Found> by_late_denial(const EndFacts& facts, const jail::DenialLog& denials) {
    for (const jail::Denial& denial : denials.denials()) {
        if (facts.ended - denial.last > just_before) continue;
        return Found{FailureClass::denied_call, format("{} was denied just before the end", denial.kind.call)};
    }
    return std::nullopt;
}

std::optional<Found> by_surroundings(const EndFacts& facts) {
    if (facts.free_bytes && *facts.free_bytes < full_below) {
        return Found{FailureClass::no_space, "the store's file system is full"};
    }
    if (!facts.network_lost.empty()) return Found{FailureClass::network, facts.network_lost};
    return std::nullopt;
}

std::optional<Found> by_words(const std::deque<std::string>& lines) {
    const auto match = match_output(lines);
    if (!match) return std::nullopt;
    const bool is_anyones = match->pattern->tool == "any";
    return Found{match->pattern->failure,
                 format("{}: {}", is_anyones ? "its output" : match->pattern->tool, match->line)};
}

Found find_class(const EndFacts& facts, const jail::DenialLog& denials, const std::deque<std::string>& lines) {
    if (auto found = by_limits(facts)) return *found;
    if (auto found = by_end(facts)) return *found;
    if (auto found = by_surroundings(facts)) return *found;
    if (auto found = by_denial_and_words(denials, lines)) return *found;
    if (auto found = by_words(lines)) return *found;
    if (auto found = by_late_denial(facts, denials)) return *found;
    return {FailureClass::script_error, {}};
}

std::string describe_end(const EndFacts& facts) {
    if (facts.over == jail::Limit::time) {
        return format("not done after its time limit of {} s", facts.limits.time.value_or(0s).count());
    }
    if (facts.over == jail::Limit::idle) {
        return format("wrote nothing for {} s, its idle limit", facts.limits.idle.value_or(0s).count());
    }
    if (facts.oom_kills > 0 && facts.limits.memory) {
        return format("its processes were killed at its memory limit of {}", sandbox::bytes_text(*facts.limits.memory));
    }
    if (facts.oom_kills > 0) {
        return format("{} killed for want of memory: the machine's, or that of a limit around the build",
                      count(facts.oom_kills, "of its processes was", "of its processes were"));
    }
    if (facts.how.is_seen()) {
        const std::string end = "its command " + sandbox::os::in_words(facts.how);
        const int number = facts.how.has_exited() ? signal_of(facts) : 0;
        return number == 0
                   ? end
                   : format("{}: a program in it was ended by signal {} ({})", end, number, ::strsignal(number));
    }
    return "its jail was killed from outside, or by the kernel for want of memory";
}

}  // namespace

Failure classify(const EndFacts& facts, const jail::DenialLog& denials, const std::deque<std::string>& lines) {
    const Found found = find_class(facts, denials, lines);
    return {.kind = found.kind,
            .problem = {describe_end(facts), std::string(stages::advice_for(found.kind, facts.network))},
            .found_by = found.by,
            .how = facts.how,
            .signal = signal_of(facts),
            .seconds = facts.seconds,
            .limits = nearness(facts)};
}

FailureClass class_of_error(int error, FailureClass otherwise) {
    return error == ENOSPC || error == EDQUOT ? FailureClass::no_space : otherwise;
}

std::string nearness(const EndFacts& facts) {
    std::string text;
    const auto add = [&](const std::string& part) { sandbox::os::append_part(text, ", ", part); };
    if (facts.limits.time) {
        add(format("time {} of {}", sandbox::os::human_seconds(facts.seconds),
                   sandbox::os::human_seconds(static_cast<double>(facts.limits.time->count()))));
    }
    if (facts.limits.idle)
        add(format("idle {}", sandbox::os::human_seconds(static_cast<double>(facts.limits.idle->count()))));
    if (facts.limits.memory) {
        add(format("memory {} of {} at the most", sandbox::os::human_bytes(static_cast<double>(facts.peak_bytes)),
                   sandbox::os::human_bytes(static_cast<double>(*facts.limits.memory))));
    }
    if (facts.limits.pids) {
        const std::string refused =
            facts.refused_forks == 0 ? "" : format(", at which {} refused", count(facts.refused_forks, "was", "were"));
        add(format("pids {}{}", *facts.limits.pids, refused));
    }
    if (facts.limits.cpu) add(format("cpu {}", *facts.limits.cpu / 1000.0));
    return text;
}

}  // namespace runtime::engine
