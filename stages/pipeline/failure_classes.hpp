// How a stage can fail: one row a class, with everything that is decided by the class alone.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace stages {

enum class FailureClass : std::uint8_t {
    network,            // a server that could not be reached, or broke off
    hash_mismatch,      // what came is not what was announced
    no_space,           // of the store's file system, or of one in the jail
    out_of_memory,      // the kernel killed a process for want of memory
    wall_time,          // limits.time
    idle_time,          // limits.idle
    denied_call,        // a system call that the profile denies
    signal,             // ended by a signal
    command_not_found,  // it, or what it calls, is not there or cannot be executed
    script_error,       // ended with a code other than 0, and none of the above
    service,            // one of its services was not ready in time, or ended before the command
    output,             // an output is missing or refused
    pin,                // the network gave something else than what is pinned
    jail,               // could not be built
    interrupted,        // stopped, by a signal to the build or by another stage's failure in the mode strict
};

// Whether the stage's command had run: only then another attempt could mend it, and `retry.on` can name the class.
enum class FailedAfter : std::uint8_t { command, no_command };
// Whether a stage without a network could only fail so again.
enum class OfNetwork : std::uint8_t { no, yes };

struct FailureRow {
    FailureClass kind;
    std::string_view name;  // as pipeline files, reports and events have it
    FailedAfter after;
    OfNetwork of_network = OfNetwork::no;
    unsigned attempts = 1;                         // built in, the first one counted
    std::string_view advice = {};                  // what to do about it; empty: nothing beyond the failure's own words
    std::string_view advice_without_network = {};  // where it is another one
};

// In the order of the enumeration.
inline constexpr std::array failure_rows = {
    FailureRow{FailureClass::network, "network", FailedAfter::command, OfNetwork::yes,
               3,  // a server that does not answer may in a minute
               "look whether the server can be reached from here; `retry` tries more often",
               "the stage has no network: give it network = \"user\" or \"host\", or what it fetches as an input"},
    FailureRow{FailureClass::hash_mismatch, "hash-mismatch", FailedAfter::command, OfNetwork::yes,
               2,  // a server that gives a wrong file is being changed, or has it wrong: once more, and no more load
               "the file is not the one that was announced: a mirror in change, a proxy in between, or a wrong digest"},
    FailureRow{FailureClass::no_space, "no-space", FailedAfter::command, OfNetwork::no, 1,
               "make room: `stagebox store gc` deletes what no build has used lately; /tmp in a jail is memory"},
    FailureRow{FailureClass::out_of_memory, "out-of-memory", FailedAfter::command, OfNetwork::no, 1,
               "raise limits.memory of the stage, or run fewer stages at a time with --jobs"},
    FailureRow{FailureClass::wall_time, "wall-time", FailedAfter::command, OfNetwork::no, 1,
               "raise limits.time of the stage"},
    FailureRow{FailureClass::idle_time, "idle-time", FailedAfter::command, OfNetwork::no, 1,
               "raise limits.idle of the stage, or let its command say what it does"},
    FailureRow{FailureClass::denied_call, "denied-call", FailedAfter::command, OfNetwork::no, 1,
               "its profile denies a system call that it makes: the lines on denials name what would allow it"},
    FailureRow{FailureClass::signal, "signal", FailedAfter::command, OfNetwork::no, 1,
               "a crash of the program: the same again in `stagebox shell --failed` shows where"},
    FailureRow{FailureClass::command_not_found, "command-not-found", FailedAfter::command, OfNetwork::no, 1,
               "the stage's root does not have the program, or not under that name"},
    FailureRow{FailureClass::script_error, "script-error", FailedAfter::command},
    FailureRow{FailureClass::service, "service", FailedAfter::command, OfNetwork::no, 1,
               "its log has the rest; `timeout` of the service is the time that it gets to be ready"},
    FailureRow{FailureClass::output, "output", FailedAfter::no_command},
    FailureRow{FailureClass::pin, "pin", FailedAfter::no_command},
    FailureRow{FailureClass::jail, "jail", FailedAfter::no_command},
    FailureRow{FailureClass::interrupted, "interrupted", FailedAfter::no_command},
};

constexpr const FailureRow& row_of(FailureClass failure) {
    return failure_rows.at(static_cast<std::size_t>(failure));
}
static_assert(std::ranges::all_of(failure_rows, [](const FailureRow& row) { return &row == &row_of(row.kind); }),
              "a row that is not in its place");

constexpr bool is_retryable(const FailureRow& row) {
    return row.after == FailedAfter::command;
}

// The names of the classes that `retry.on` can name.
inline constexpr auto retryable_names = [] {
    std::array<std::string_view, std::ranges::count_if(failure_rows, is_retryable)> names;
    auto next = names.begin();
    for (const FailureRow& row : failure_rows) {
        if (is_retryable(row)) *next++ = row.name;
    }
    return names;
}();

}  // namespace stages
