// The run's own diagnostic log, runs/<id>/stagebox.log: what Stagebox did and why, for whoever looks into a
// run afterwards. Not the output of stages and not what the user is told. An object that is passed around;
// the terminal sees nothing of it unless asked. The one place that knows spdlog is report/log.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sandbox/os/format.hpp"

namespace runtime {

enum class Echo : std::uint8_t { quiet, verbose };

class Log {
  public:
    // A log that goes nowhere.
    Log();
    // Appends to `path`, whose folder exists; every line is written before the call returns. verbose: also to
    // standard error. Throws std::runtime_error when the file cannot be opened. A line that cannot be written
    // later (disk full) is lost without a word: a log is not a reason to end a build.
    explicit Log(const std::string& path, Echo echo = Echo::quiet);
    Log(Log&&) noexcept;
    Log& operator=(Log&&) noexcept;
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;
    ~Log();

    template <class... Args>
    void info(fmt::format_string<Args...> text, Args&&... args) {
        if (sinks_) write(Level::info, fmt::format(text, std::forward<Args>(args)...));
    }
    template <class... Args>
    void warn(fmt::format_string<Args...> text, Args&&... args) {
        if (sinks_) write(Level::warning, fmt::format(text, std::forward<Args>(args)...));
    }
    template <class... Args>
    void error(fmt::format_string<Args...> text, Args&&... args) {
        if (sinks_) write(Level::error, fmt::format(text, std::forward<Args>(args)...));
    }

  private:
    enum class Level : std::uint8_t { info, warning, error };
    struct Sinks;
    void write(Level level, std::string_view text);

    std::unique_ptr<Sinks> sinks_;
};

}  // namespace runtime
