// `explain STAGE`: why a build would run the stage, or take its result from the store. Reads, and changes nothing.
#include <algorithm>
#include <iostream>
#include <set>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/pipeline_words.hpp"
#include "runtime/engine/resolve_stage.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "stages/pipeline/graph.hpp"

namespace runtime::cli {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

// What a component of a key is, for people.
std::string called(const std::string& component) {
    if (component == "root") return "the root that it starts from";
    if (component == "script") return "the script";
    if (component == "run") return "the command";
    if (component == "recover") return "the command that recovers";
    if (component == "host-packages") return "the host's packages";
    if (component == "profile") return "the text of the profile";
    if (component == "format") return "the meaning of keys, in this version of the program,";
    for (const std::string_view kind : {"input ", "output "}) {
        if (component.starts_with(kind)) return format("the {}", component);
    }
    if (component.starts_with("env ")) return format("the variable {}", component.substr(4));
    return format("the {}", component);
}

// As it is shown: digests say nothing to people.
std::string shown(const std::string& component, const Json& value) {
    const bool is_digest = component == "script" || component == "profile" || component == "host-packages" ||
                           component == "format" || component.starts_with("input ") ||
                           (component == "root" && value != "host" && value != "empty");
    return is_digest ? std::string()
                     : sandbox::os::printable(value.is_string() ? value.get<std::string>() : value.dump());
}

std::string difference(const std::string& component, const Json& before, const Json& now) {
    if (!before.contains(component)) {
        const std::string value = shown(component, now.at(component));
        return format("{} is new{}", called(component), value.empty() ? "" : ": " + value);
    }
    if (!now.contains(component)) return format("{} is not there any more", called(component));
    const std::string was = shown(component, before.at(component));
    const std::string is = shown(component, now.at(component));
    if (was.empty() || is.empty()) return format("{} has changed", called(component));
    return format("{} was {}, and is {}", called(component), was, is);
}

std::vector<std::string> differences(const Json& before, const Json& now) {
    std::set<std::string> names;
    for (const auto& [name, value] : before.items()) names.insert(name);
    for (const auto& [name, value] : now.items()) names.insert(name);
    std::vector<std::string> found;
    for (const std::string& name : names) {
        if (before.contains(name) && now.contains(name) && before.at(name) == now.at(name)) continue;
        found.push_back(difference(name, before, now));
    }
    return found;
}

class Explanation {
  public:
    Explanation(const stages::Pipeline& pipeline, const store::Store& store)
        : pipeline_(pipeline),
          store_(store),
          graph_(pipeline),
          profiles_(pipeline),
          resolver_(pipeline, store, profiles_) {}

    std::string of(const std::string& name) {
        const std::string wanted[] = {name};
        for (const std::size_t place : graph_.order_for(wanted)) {
            const stages::Stage& stage = pipeline_.stages[place];
            const engine::Resolved resolved = resolver_.resolve(stage, results_);
            const auto record = store_.find(resolved.key);
            const bool is_there = record && store_.holds(*record);
            if (stage.name == name)
                return is_there ? cached(*record) : would_run(stage, resolved) + last_failure(stage);
            // The key has the digests of what the stage needs, which are not known before that is there.
            if (!is_there) return needs(name, stage, resolved) + last_failure(*pipeline_.find(name));
            results_[stage.name] = {*record, resolver_.layers_of(*record, resolved)};
        }
        throw std::logic_error("a stage is not in its own order");
    }

  private:
    static std::string cached(const store::Record& record) {
        return format(
            "stage {} is in the store: built {} in {:.1f} s, and nothing that its key is made of has changed\n",
            record.stage, record.finished, record.usage.seconds);
    }

    std::string needs(const std::string& name, const stages::Stage& needed, const engine::Resolved& resolved) {
        return format("stage {} would run, if what {} makes turns out other than before: it needs that stage, and\n",
                      name, needed.name) +
               would_run(needed, resolved);
    }

    std::string would_run(const stages::Stage& stage, const engine::Resolved& resolved) const {
        const std::optional<store::Record> last = last_record(stage.name);
        if (!last) return format("stage {} would run: no result of it is in the store\n", stage.name);
        if (last->key == resolved.key) {
            return format("stage {} would run: what it made {} is not in the store any more\n", stage.name,
                          last->finished);
        }
        std::string text = format("stage {} would run: since it was built {},\n", stage.name, last->finished);
        for (const std::string& line : differences(last->components, resolved.components))
            text += format("  {}\n", line);
        return text;
    }

    std::optional<store::Record> last_record(const std::string& stage) const {
        std::optional<store::Record> last;
        for (store::Record& record : store_.list().records) {
            if (record.pipeline != pipeline_.name || record.stage != stage) continue;
            if (!last || last->finished < record.finished) last = std::move(record);
        }
        return last;
    }

    // What failed is no result, whatever its key.
    std::string last_failure(const stages::Stage& stage) const {
        Json last;
        for (const std::string& key : store_.list().failed) {
            const auto text = sandbox::os::read_file_if_exists(store_.directory(), "failed/" + key + "/stage.json");
            if (!text) continue;
            Json note = Json::parse(*text);
            if (note.at("pipeline") != pipeline_.name || note.at("stage") != stage.name) continue;
            if (last.is_null() || last.at("ended").get<std::string>() < note.at("ended").get<std::string>()) {
                last = std::move(note);
            }
        }
        if (last.is_null()) return {};
        return format("it failed {} ({}): {}; a failure is never taken for a result\n",
                      last.at("ended").get<std::string>(), last.value("class", "of a class not known"),
                      sandbox::os::printable(last.at("why").get<std::string>()));
    }

    const stages::Pipeline& pipeline_;
    const store::Store& store_;
    stages::Graph graph_;
    engine::Profiles profiles_;
    engine::Resolver resolver_;
    engine::Results results_;
};

struct ExplainWords {
    PipelineWords pipeline;
    std::string stage;
};

void declare(Options& options, ExplainWords& words) {
    declare_pipeline(options, words.pipeline);
    declare_stage(options, words.stage);
}

int run(const ExplainWords& words) {
    const engine::PipelineOptions options = words.pipeline.options();
    const stages::Pipeline pipeline = stages::read_pipeline(options.file, options.vars);
    const store::Store store(engine::store_path(options));
    std::cout << Explanation(pipeline, store).of(words.stage);
    return ExitCode::done;
}

}  // namespace

Command explain_command() {
    return make_command<ExplainWords>("explain", "Why a stage would run, or why it is cached");
}

}  // namespace runtime::cli
