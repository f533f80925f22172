#include "runtime/report/summary.hpp"

#include <algorithm>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::report {

using sandbox::os::format;
using sandbox::os::Json;

std::string summary_table(const Console& console, const std::vector<StageLine>& stages) {
    std::size_t width = 5;
    for (const StageLine& stage : stages) width = std::max(width, stage.name.size());
    std::string text = console.dim(format("{:<{}}  {:<8}  {:>9}  {:>9}\n", "stage", width, "result", "time", "size"));
    for (const StageLine& stage : stages) {
        std::string state = format("{:<8}", stage.state);
        if (stage.state == "failed") state = console.red(state);
        if (stage.state == "built") state = console.green(state);
        text += format("{:<{}}  {}  {:>9}  {:>9}\n", stage.name, width, state,
                       stage.seconds > 0 ? human_seconds(stage.seconds) : "-",
                       stage.layer_bytes > 0 ? human_bytes(stage.layer_bytes) : "-");
    }
    for (const StageLine& stage : stages) {
        if (!stage.loosened.empty()) text += format("loosened: {}: {}\n", stage.name, stage.loosened);
    }
    return text;
}

std::string failure_text(const Console& console, const FailedStage& failed) {
    std::string text = format("{} stage {}: {}\n", console.red("failed:"), console.bold(failed.name), failed.what);
    if (!failed.remedy.empty()) text += format("  help: {}\n", failed.remedy);
    if (!failed.last_lines.empty()) {
        text += format("  the last {} lines of its output:\n", failed.last_lines.size());
        // A failure report is read by people: what the console does to a line is done here too.
        for (const std::string& line : failed.last_lines) text += format("    {}\n", sandbox::os::printable(line));
    }
    for (const std::string& denial : failed.denials) text += format("  {}\n", denial);
    text += format("  log: {}\n", failed.log);
    for (const std::string& command : failed.commands) text += format("  {}\n", command);
    return text;
}

std::string event_line(const std::string& at, const std::string& event, const Json& details) {
    Json line = {{"at", at}, {"event", event}};
    for (const auto& [key, value] : details.items()) line[key] = value;
    return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace runtime::report
