// A program under test: started in a session of its own with pipes of its own, watched, and killed at the
// latest when the object goes. Knows nothing of Stagebox.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/os/fd.hpp"

namespace tests::support {

struct Start {
    std::vector<std::string> argv;
    std::map<std::string, std::string> env = {};  // beside what the tests themselves have
    std::string input = {};                       // standard input, at most what a pipe holds (64 KiB)
    int terminal = -1;                            // standard input, output and error instead of pipes; borrowed
    std::function<void()> in_child = {};          // just before the exec: system calls only
};

struct Result {
    int code = 0;  // the exit code; -N where signal N ended it
    std::string out;
    std::string err;
};

class Process {
  public:
    explicit Process(const Start& start);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    // SIGKILL, and waits.
    ~Process();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    void signal(int number) const;
    // To all of its process group, as a terminal's Ctrl-C does.
    void signal_group(int number) const;
    // Reads until `text` has appeared in standard output or error. Throws, with all that was said, when the
    // program ends without it or the time is over.
    void wait_for(std::string_view text, std::chrono::milliseconds limit = std::chrono::seconds(30));
    // Reads to the end and reaps. Throws when the time is over.
    Result finish(std::chrono::milliseconds limit = std::chrono::seconds(60));

  private:
    using Moment = std::chrono::steady_clock::time_point;
    // False when both pipes are at their end.
    bool read_some(Moment end);
    [[noreturn]] void give_up(const std::string& why) const;

    std::string name_;
    pid_t pid_ = -1;
    sandbox::os::Fd out_;
    sandbox::os::Fd err_;
    Result result_;
};

Result run(const Start& start, std::chrono::milliseconds limit = std::chrono::seconds(60));

// The part of "key=value" lines after "key="; "(no KEY)" where there is no such line.
std::string value_of(const std::string& lines, const std::string& key);

}  // namespace tests::support
