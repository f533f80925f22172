#include "runtime/report/run_state.hpp"

#include <algorithm>
#include <unordered_map>

#include "runtime/report/events.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/problem.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::report {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

class Reader {
  public:
    explicit Reader(const std::string& run) { state_.run = run; }

    void take(const Json& event) {
        const std::string kind = event.value("event", "");
        if (kind == "begin") {
            begin(event);
        } else if (kind == "end") {
            state_.ended = event.value("at", "");
            state_.exit = event.at("exit").get<int>();
        } else if (kind == "signal") {
            state_.is_stopping = true;
        } else if (event.contains("stage")) {
            take_stage(kind, event);
        }
    }

    std::optional<RunState> result() && {
        if (state_.began.empty()) return std::nullopt;
        return std::move(state_);
    }

  private:
    void begin(const Json& event) {
        if (const int version = event.value("version", 1); version > events_version) {
            throw sandbox::os::Error(
                {.what = format("the events of run {} are of version {}, and this program knows version {}", state_.run,
                                version, events_version),
                 .remedy = "use the program that made the run, or a newer one"});
        }
        state_.began = event.value("at", "");
        state_.pipeline = event.value("pipeline", "");
        state_.file = event.value("file", "");
        for (const Json& name : event.at("stages")) {
            index_[name.get<std::string>()] = state_.stages.size();
            state_.stages.emplace_back().name = name.get<std::string>();
        }
    }

    void take_stage(const std::string& kind, const Json& event) {
        const auto found = index_.find(event.at("stage").get<std::string>());
        if (found == index_.end()) return;
        StageProgress& stage = state_.stages[found->second];
        stage.since = event.value("at", "");
        stage.what.clear();
        if (kind == "start") {
            stage.state = "running";
            stage.attempt = event.value("attempt", 1U);
        } else if (kind == "pause") {
            stage.state = "pausing";
            stage.what = format("{}: {}", event.value("class", ""), event.value("what", ""));
        } else if (kind == "wait") {
            stage.state = "held";
            stage.what = "for " + event.value("holder", "");
        } else if (kind == "stage") {
            stage.state = event.value("state", "");
            if (event.contains("failure")) stage.what = event.at("failure").value("what", "");
            if (event.contains("skipped_for")) stage.what = "for " + event.value("skipped_for", "");
        }
    }

    RunState state_;
    std::unordered_map<std::string, std::size_t> index_;
};

// "2 built, 1 running"; in the order in which the states first appear.
std::string counts(const std::vector<StageProgress>& stages) {
    std::vector<std::pair<std::string_view, std::size_t>> all;
    for (const StageProgress& stage : stages) {
        const auto found =
            std::ranges::find(all, std::string_view(stage.state), [](const auto& count) { return count.first; });
        if (found == all.end()) {
            all.emplace_back(stage.state, 1);
        } else {
            ++found->second;
        }
    }
    std::string text;
    for (const auto& [state, count] : all) sandbox::os::append_part(text, ", ", format("{} {}", count, state));
    return text;
}

std::string stage_line(const RunState& state, const StageProgress& stage) {
    std::size_t width = 0;
    for (const StageProgress& other : state.stages) width = std::max(width, other.name.size());
    std::string text = format("  {:<{}}  {:<8}", stage.name, width, stage.state);
    if (!stage.since.empty()) text += "  since " + stage.since;
    if (stage.attempt > 1) text += format(", attempt {}", stage.attempt);
    if (!stage.what.empty()) text += "  " + sandbox::os::printable(stage.what);
    return text + "\n";
}

}  // namespace

std::string_view RunState::word() const {
    if (!exit) {
        if (!pid) return "killed";
        return is_stopping ? "ending" : "running";
    }
    if (*exit == 0) return "done";
    return *exit > 128 ? "interrupted" : "failed";
}

std::optional<RunState> run_state(const std::string& run, std::string_view events) {
    Reader reader(run);
    for (std::size_t end = events.find('\n'); end != events.npos; end = events.find('\n')) {
        const Json event = Json::parse(events.substr(0, end), nullptr, false);
        if (event.is_object()) reader.take(event);
        events.remove_prefix(end + 1);
    }
    return std::move(reader).result();
}

std::string to_line(const RunState& state) {
    std::string text = format("{}  {:<11}  {}: {}", state.run, state.word(), state.pipeline, counts(state.stages));
    text += state.ended.empty() ? format("; since {}", state.began) : format("; {} to {}", state.began, state.ended);
    if (state.pid) text += format(", process {}", *state.pid);
    text += "\n";
    if (!state.pid) return text;
    for (const StageProgress& stage : state.stages) {
        const bool is_at_work = stage.state == "running" || stage.state == "pausing" || stage.state == "held";
        if (is_at_work) text += stage_line(state, stage);
    }
    return text;
}

std::string to_text(const RunState& state) {
    const std::string line = to_line(state);
    std::string text = line.substr(0, line.find('\n') + 1);
    if (state.exit) text += format("  exit code {}\n", *state.exit);
    text += format("  file {}\n", sandbox::os::printable(state.file));
    for (const StageProgress& stage : state.stages) text += stage_line(state, stage);
    return text;
}

Json to_json(const RunState& state) {
    Json stages = Json::array();
    for (const StageProgress& stage : state.stages) {
        Json one = {{"stage", stage.name}, {"state", stage.state}};
        if (!stage.since.empty()) one["since"] = stage.since;
        if (stage.attempt > 0) one["attempt"] = stage.attempt;
        if (!stage.what.empty()) one["what"] = stage.what;
        stages.push_back(std::move(one));
    }
    Json json = {{"run", state.run},
                 {"state", state.word()},
                 {"pipeline", state.pipeline},
                 {"file", state.file},
                 {"began", state.began}};
    if (!state.ended.empty()) json["ended"] = state.ended;
    if (state.exit) json["exit"] = *state.exit;
    if (state.pid) json["pid"] = *state.pid;
    json["stages"] = std::move(stages);
    return json;
}

}  // namespace runtime::report
