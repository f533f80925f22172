// What a jail was denied: each kind of denial once, with a count and one example, and no more of it than a report can
// take, whatever a payload does. Values only: knows nothing of listeners and processes.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sandbox/os/json.hpp"

namespace runtime::jail {

// What makes two denials the same kind.
struct DenialKind {
    std::string call;           // "mount", or "system call 999"; of another ABI: "mount (i386)"
    int error = 0;              // what the filter answers
    std::uint64_t telling = 0;  // telling_argument()
    std::string process;        // the name of the process that called; chosen by the payload
    auto operator<=>(const DenialKind&) const = default;  // NOLINT(modernize-use-nullptr): the tool's own mistake
};

// The first denial of its kind.
struct DenialExample {
    std::string text;  // show_call()
    int pid = 0;       // as the jail sees it
    std::string executable;
    std::string working_directory;
    std::string allow;  // the line of a profile that would allow it; empty where there is none
};

struct Denial {
    DenialKind kind;
    DenialExample example;
    std::uint64_t count = 0;
    std::chrono::system_clock::time_point first;
    std::chrono::system_clock::time_point last;
};

class DenialLog {
  public:
    static constexpr std::size_t most_kinds = 256;

    // Counts one. True where its kind is new and there is room for it: add() is due.
    bool count(const DenialKind& kind, std::chrono::system_clock::time_point now);
    void add(const DenialKind& kind, DenialExample example, std::chrono::system_clock::time_point now);
    // Why not everything is here: "only the first 100000 were looked at".
    void note(std::string text) { notes_.push_back(std::move(text)); }

    // How many there were, of all kinds.
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
    [[nodiscard]] bool is_empty() const noexcept { return total_ == 0 && notes_.empty(); }
    // The most frequent first.
    [[nodiscard]] std::vector<Denial> denials() const;
    [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }

  private:
    std::map<DenialKind, Denial> denials_;
    std::vector<std::string> notes_;
    std::uint64_t total_ = 0;
};

// `mount("none", "/mnt", …) by apt (pid 12), 3 times, EPERM`: fit for a terminal.
std::string to_text(const Denial& denial);
// For people: at most `most` of them, one a line, what would allow them, and how many there were more.
std::vector<std::string> to_lines(const DenialLog& log, std::size_t most);
// All of it, for records and reports: {"total", "denials": [...], "notes": [...]}.
sandbox::os::Json to_json(const DenialLog& log);

}  // namespace runtime::jail
