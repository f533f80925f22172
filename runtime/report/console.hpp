// What people see of a build while it runs, on standard error: lines, never half of one, each with the stage it is of.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace runtime::report {

class Console {
  public:
    // Colours where standard error is a terminal and NO_COLOR (no-color.org) is not set.
    Console();

    // Wide enough for the longest stage name that will come.
    void set_stage_width(std::size_t width) { width_ = width; }
    [[nodiscard]] std::size_t stage_width() const noexcept { return width_; }
    // A line of a stage's output, its control characters shown as "?".
    void stage_line(std::string_view stage, std::string_view line);
    // What Stagebox itself says of a stage, and of the whole.
    void stage_note(std::string_view stage, std::string_view text);
    void note(std::string_view text);
    void warning(std::string_view text);
    void error(std::string_view text);

    [[nodiscard]] std::string bold(std::string_view text) const;
    [[nodiscard]] std::string red(std::string_view text) const;
    [[nodiscard]] std::string green(std::string_view text) const;
    [[nodiscard]] std::string dim(std::string_view text) const;

  private:
    [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const;
    [[nodiscard]] std::string prefix(std::string_view stage) const;
    void write(const std::string& text) const;

    std::size_t width_ = 0;
    bool has_colours_ = false;
};

// "1.5 MB", "12.3 s": for summaries.
std::string human_bytes(double bytes);
std::string human_seconds(double seconds);

}  // namespace runtime::report
