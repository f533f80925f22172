// What people see of a build while it runs, on standard error: lines, never half of one, each with the stage it is of.
// A copy goes to the run's console log, where those find it who look later, or from somewhere else.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "sandbox/os/fd.hpp"

namespace runtime::report {

class Console {
  public:
    // Colours where standard error is a terminal and NO_COLOR (no-color.org) is not set.
    Console();

    // From now on every line also goes there, without colours; open for appending.
    void keep(sandbox::os::Fd log);
    // The terminal has gone: what was written there goes to the log alone, and so does what others write to standard
    // output and error. Streams that are no terminal, or are still there, stay.
    void leave_terminal();
    // Standard input, output and error leave the caller's for good, for nothing and the log.
    void detach();

    // Wide enough for the longest stage name that will come.
    void set_stage_width(std::size_t width) { width_ = width; }
    [[nodiscard]] std::size_t stage_width() const noexcept { return width_; }
    // A line of a stage's output: text, and on a terminal its colours (sandbox/os/text.hpp).
    void stage_line(std::string_view stage, std::string_view line);
    // What Stagebox itself says of a stage, and of the whole.
    void stage_note(std::string_view stage, std::string_view text);
    void note(std::string_view text);
    void warning(std::string_view text);
    void error(std::string_view text);
    // One of a build that is done, on standard output: its name and where it lies.
    void result(std::string_view name, std::string_view path);

    [[nodiscard]] std::string bold(std::string_view text) const;
    [[nodiscard]] std::string red(std::string_view text) const;
    [[nodiscard]] std::string green(std::string_view text) const;
    [[nodiscard]] std::string dim(std::string_view text) const;

  private:
    [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const;
    [[nodiscard]] std::string prefix(std::string_view stage) const;
    void write(int stream, const std::string& text) const;
    void redirect(int stream);

    sandbox::os::Fd log_;
    bool is_terminal_[3] = {};  // what the streams were at first
    bool is_log_[3] = {};       // they are the log itself by now
    std::size_t width_ = 0;
    bool has_colours_ = false;
};

}  // namespace runtime::report
