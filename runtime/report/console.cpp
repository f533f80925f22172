#include "runtime/report/console.hpp"

#include <unistd.h>

#include <cmath>
#include <cstdlib>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::report {

using sandbox::os::format;

Console::Console() {
    const char* no_color = std::getenv("NO_COLOR");
    has_colours_ = ::isatty(2) == 1 && (no_color == nullptr || *no_color == '\0');
}

std::string Console::paint(std::string_view code, std::string_view text) const {
    return has_colours_ ? format("\033[{}m{}\033[0m", code, text) : std::string(text);
}

std::string Console::bold(std::string_view text) const {
    return paint("1", text);
}
std::string Console::red(std::string_view text) const {
    return paint("31", text);
}
std::string Console::green(std::string_view text) const {
    return paint("32", text);
}
std::string Console::dim(std::string_view text) const {
    return paint("2", text);
}

std::string Console::prefix(std::string_view stage) const {
    return paint("36", format("{:>{}} | ", stage, width_));
}

// One write(2) a line, so that lines of others on the same terminal do not fall into it. A terminal that is gone is no
// reason to stop a build.
void Console::write(const std::string& text) const {
    std::string_view left = text;
    while (!left.empty()) {
        const ssize_t wrote = ::write(2, left.data(), left.size());
        if (wrote <= 0) return;
        left.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

void Console::stage_line(std::string_view stage, std::string_view line) {
    write(format("{}{}\n", prefix(stage), sandbox::os::printable(line)));
}

void Console::stage_note(std::string_view stage, std::string_view text) {
    write(format("{}{}\n", prefix(stage), bold(text)));
}

void Console::note(std::string_view text) {
    write(format("{}\n", text));
}

void Console::warning(std::string_view text) {
    write(format("{} {}\n", paint("33", "warning:"), text));
}

void Console::error(std::string_view text) {
    write(format("{} {}\n", red("error:"), text));
}

std::string human_bytes(double bytes) {
    const char* units[] = {"B", "kB", "MB", "GB", "TB"};
    std::size_t unit = 0;
    while (bytes >= 1000 && unit + 1 < std::size(units)) {
        bytes /= 1000;
        ++unit;
    }
    return unit == 0 ? format("{:.0f} B", bytes) : format("{:.1f} {}", bytes, units[unit]);
}

std::string human_seconds(double seconds) {
    if (seconds < 60) return format("{:.1f} s", seconds);
    const long whole = std::lround(seconds);
    return format("{}:{:02} min", whole / 60, whole % 60);
}

}  // namespace runtime::report
