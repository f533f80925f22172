// events.jsonl of a run: one line of JSON for each thing that happens to it, written when it happens, {"at": UTC,
// "event": ...}. A run that ends without the event "end" was killed.
#pragma once
#include <string>
#include <string_view>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/json.hpp"

namespace runtime::report {

// Of the lines that are written; in the first one, the event "begin". A reader leaves a file of a newer version alone.
inline constexpr int events_version = 1;

class EventLog {
  public:
    // `file`: open for appending.
    explicit EventLog(sandbox::os::Fd file) : file_(std::move(file)) {}
    // One write(2): a reader sees the whole line or nothing of it. What cannot be written (disk full) is lost: a log is
    // no reason to end a build.
    void write(std::string_view event, const sandbox::os::Json& details = sandbox::os::Json::object());

  private:
    sandbox::os::Fd file_;
};

// UTC, ISO 8601.
std::string now_text();

}  // namespace runtime::report
