#include "runtime/jail/denial_log.hpp"

#include <algorithm>
#include <ctime>
#include <set>

#include "runtime/jail/denial_words.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::jail {

using sandbox::os::format;
using sandbox::os::Json;
using sandbox::os::printable;

namespace {

std::string utc(std::chrono::system_clock::time_point time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

Json to_json(const Denial& denial) {
    Json json = {{"call", denial.kind.call},
                 {"error", error_name(denial.kind.error)},
                 {"count", denial.count},
                 {"process", printable(denial.kind.process)},
                 {"pid", denial.example.pid},
                 {"executable", printable(denial.example.executable)},
                 {"working-directory", printable(denial.example.working_directory)},
                 {"example", denial.example.text},
                 {"first", utc(denial.first)},
                 {"last", utc(denial.last)}};
    if (!denial.example.allow.empty()) json["allow"] = denial.example.allow;
    return json;
}

}  // namespace

bool DenialLog::count(const DenialKind& kind, std::chrono::system_clock::time_point now) {
    ++total_;
    const auto found = denials_.find(kind);
    if (found == denials_.end()) return denials_.size() < most_kinds;
    ++found->second.count;
    found->second.last = now;
    return false;
}

void DenialLog::add(const DenialKind& kind, DenialExample example, std::chrono::system_clock::time_point now) {
    denials_.emplace(kind, Denial{kind, std::move(example), 1, now, now});
}

std::vector<Denial> DenialLog::denials() const {
    std::vector<Denial> list;
    list.reserve(denials_.size());
    for (const auto& [kind, denial] : denials_) list.push_back(denial);
    std::ranges::stable_sort(list, std::greater{}, &Denial::count);
    return list;
}

std::string to_text(const Denial& denial) {
    const std::string times = denial.count == 1 ? "" : format(", {} times", denial.count);
    return format("{} by {} (pid {}){}: {}", denial.example.text, printable(denial.kind.process), denial.example.pid,
                  times, error_name(denial.kind.error));
}

std::vector<std::string> to_lines(const DenialLog& log, std::size_t most) {
    std::vector<std::string> lines;
    std::uint64_t told = 0;
    std::set<std::string> allowed;
    for (const Denial& denial : log.denials()) {
        if (lines.size() == most) break;
        std::string line = "denied: " + to_text(denial);
        const std::string& allow = denial.example.allow;
        if (!allow.empty() && allowed.insert(allow).second) line += format("\n    allow it with {}", allow);
        lines.push_back(std::move(line));
        told += denial.count;
    }
    if (told < log.total()) lines.push_back(format("denied: {} more", log.total() - told));
    for (const std::string& note : log.notes()) lines.push_back("denials: " + note);
    return lines;
}

Json to_json(const DenialLog& log) {
    Json list = Json::array();
    for (const Denial& denial : log.denials()) list.push_back(to_json(denial));
    Json json = {{"total", log.total()}, {"denials", std::move(list)}};
    if (!log.notes().empty()) json["notes"] = log.notes();
    // Names that a payload chose need not be UTF-8, and who writes this out need not think of it.
    return Json::parse(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace runtime::jail
