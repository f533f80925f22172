#include "runtime/report/summary.hpp"

#include <algorithm>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::report {

using sandbox::os::format;

std::string summary_table(const Console& console, const std::vector<StageLine>& stages) {
    std::size_t width = 5;
    for (const StageLine& stage : stages) width = std::max(width, stage.name.size());
    std::string text = console.dim(format("{:<{}}  {:<8}  {:>9}  {:>9}  {:>9}  {:>9}\n", "stage", width, "result",
                                          "time", "cpu", "memory", "size"));
    for (const StageLine& stage : stages) {
        std::string state = format("{:<8}", stage.state);
        if (stage.state == "failed") state = console.red(state);
        if (stage.state == "built") state = console.green(state);
        text += format("{:<{}}  {}  {:>9}  {:>9}  {:>9}  {:>9}\n", stage.name, width, state,
                       stage.seconds > 0 ? sandbox::os::human_seconds(stage.seconds) : "-",
                       stage.seconds > 0 ? sandbox::os::human_seconds(stage.cpu_seconds) : "-",
                       stage.peak_bytes > 0 ? sandbox::os::human_bytes(stage.peak_bytes) : "-",
                       stage.layer_bytes > 0 ? sandbox::os::human_bytes(stage.layer_bytes) : "-");
    }
    for (const StageLine& stage : stages) {
        if (!stage.granted.empty()) text += format("permissions: {}: {}\n", stage.name, stage.granted);
    }
    return text;
}

std::vector<std::string> shown_lines(const std::deque<std::string>& lines) {
    constexpr std::ptrdiff_t most = 20;
    const auto count = std::min<std::ptrdiff_t>(most, static_cast<std::ptrdiff_t>(lines.size()));
    return {lines.end() - count, lines.end()};
}

namespace {

// A failure report is read by people: what the console does to a line is done here too.
std::string shown(std::string_view text, std::size_t most) {
    std::string line = sandbox::os::printable(text);
    if (line.size() > most) line = line.substr(0, most) + "...";
    return line;
}

std::string facts_text(const FailedStage& failed) {
    std::string text = format("  class: {}{}\n", failed.failure_class,
                              failed.found_by.empty() ? "" : format(" ({})", shown(failed.found_by, 200)));
    text += format("  command: {}\n", shown(failed.command, 200));
    if (failed.seconds > 0) text += format("  time: {}", sandbox::os::human_seconds(failed.seconds));
    if (failed.attempts > 1) text += format("{}attempts: {}", failed.seconds > 0 ? ", " : "  ", failed.attempts);
    if (failed.seconds > 0 || failed.attempts > 1) text += "\n";
    if (!failed.limits.empty()) text += format("  limits: {}\n", failed.limits);
    return text;
}

}  // namespace

std::string failure_text(const Console& console, const FailedStage& failed) {
    std::string text =
        format("{} stage {}: {}\n", console.red("failed:"), console.bold(failed.name), failed.problem.what);
    if (failed.is_tolerated) text += "  it is optional: the build does not fail for it\n";
    text += facts_text(failed);
    if (const std::string help = sandbox::os::help_line(failed.problem.remedy); !help.empty()) {
        text += help.substr(1) + "\n";
    }
    if (const std::vector<std::string> lines = shown_lines(failed.last_lines); !lines.empty()) {
        text += format("  the last {} lines of its output:\n", lines.size());
        for (const std::string& line : lines) {
            text += format("    {}\n", sandbox::os::printable_output(line, sandbox::os::Colours::dropped));
        }
    }
    for (const std::string& denial : failed.denials) text += format("  {}\n", denial);
    if (!failed.skipped.empty()) text += format("  skipped for it: {}\n", sandbox::os::join(failed.skipped));
    if (!failed.log.empty()) text += format("  log: {}\n", failed.log);
    for (const auto& [word, command] : failed.ways_on)
        text += format("  {:<8} {}\n", word + ":", sandbox::os::printable(command));
    return text;
}

}  // namespace runtime::report
