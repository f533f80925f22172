#include "stages/pipeline/references.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "stages/pipeline/graph.hpp"
#include "stages/pipeline/problems.hpp"
#include "stages/pipeline/stage_options.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {
namespace {

using sandbox::ConfigError;
using sandbox::os::format;
using sandbox::os::quote;

std::string_view ids_word(const Stage& stage) {
    return sandbox::word_for(stage.ids, ids_words);
}

class References {
  public:
    References(const Pipeline& pipeline, const sandbox::ConfigSource& source, const LocalFiles& files)
        : source_(source), files_(files) {
        for (const Stage& stage : pipeline.stages) {
            index_.emplace(stage.name, &stage);
            names_.push_back(stage.name);
        }
        roots_ = names_;
        roots_.insert(roots_.end(), {"host", "empty"});
    }

    void check_root(const Stage& stage) const {
        if (const auto* tree = std::get_if<StageTree>(&stage.from)) {
            const Stage& other = find_tree(*tree, stage.from_at, roots_);
            check_same_ids(stage, other, stage.from_at);
        } else if (const auto* artifact = std::get_if<ArtifactTree>(&stage.from)) {
            const Stage& other = find_artifact(artifact->stage, artifact->artifact, stage.from_at);
            check_same_ids(stage, other, stage.from_at);
        }
    }

    void check_input(const Stage& stage, const Input& input) const {
        if (const auto* tree = std::get_if<StageTree>(&input.source)) {
            check_same_ids(stage, find_tree(*tree, input.at, names_), input.at);
        } else if (const auto* artifact = std::get_if<ArtifactTree>(&input.source)) {
            find_artifact(artifact->stage, artifact->artifact, input.at);
        }
    }

    const Stage& find_artifact(const std::string& name, const std::string& artifact, Position at) const {
        const Stage& stage = find_stage(name, name + '.' + artifact, at, names_);
        if (std::ranges::find(stage.outputs, artifact, &Output::name) != stage.outputs.end()) return stage;
        std::vector<std::string_view> known;
        for (const Output& output : stage.outputs) known.push_back(output.name);
        std::string hint = sandbox::os::did_you_mean(artifact, known);
        if (hint.empty()) {
            hint = known.empty() ? format("declare it in the stage: out = {{ {} = \"PATH\" }}", artifact)
                                 : format("its artifacts are {}", sandbox::os::list_words(known));
        }
        throw error(at, format("the stage {} has no artifact called {}", name, quote(artifact)), hint);
    }

    [[nodiscard]] ConfigError error(Position at, std::string message, std::string hint) const {
        return source_.error(position_of(at), std::move(message), std::move(hint));
    }

  private:
    using Names = std::vector<std::string_view>;

    // `text` is the whole reference, for the case that a local file was meant; `meant` is what else may have
    // been.
    const Stage& find_stage(const std::string& name, const std::string& text, Position at, const Names& meant) const {
        const auto found = index_.find(name);
        if (found != index_.end()) return *found->second;
        std::string hint = sandbox::os::did_you_mean(name, meant);
        if (hint.empty() && files_.exists(text)) {
            hint = format("did you mean {}? a local path begins with \"./\"", quote("./" + text));
        }
        throw error(at, format("no stage is called {}", quote(name)), hint);
    }

    // A stage whose tree can be shown: one with a root of its own.
    const Stage& find_tree(const StageTree& tree, Position at, const Names& meant) const {
        const Stage& stage = find_stage(tree.stage, tree.stage, at, meant);
        if (!std::holds_alternative<HostRoot>(stage.from)) return stage;
        std::string hint = "it starts from the host; give it an artifact in \"out\" and name that";
        if (!stage.outputs.empty()) {
            hint = format("it starts from the host; name an artifact of it: {}",
                          quote(stage.name + '.' + stage.outputs.front().name));
        }
        throw error(at, format("the stage {} leaves no root behind", stage.name), hint);
    }

    void check_same_ids(const Stage& stage, const Stage& other, Position at) const {
        if (stage.ids == other.ids) return;
        throw error(at,
                    format("the stage {} has ids = \"{}\", but {} has \"{}\"", stage.name, ids_word(stage), other.name,
                           ids_word(other)),
                    "the owners of files mean something else then; give both the same ids");
    }

    const sandbox::ConfigSource& source_;
    const LocalFiles& files_;
    std::unordered_map<std::string_view, const Stage*> index_;
    Names names_;
    Names roots_;  // the names, and the words that stand in their place in "from"
};

void check_cycle(const Pipeline& pipeline, const References& references) {
    const std::vector<std::size_t> cycle = Graph(pipeline).cycle();
    if (cycle.empty()) return;
    const Stage& first = pipeline.stages[cycle.front()];
    std::string path;
    for (const std::size_t stage : cycle) path += pipeline.stages[stage].name + " → ";
    throw references.error(first.at, format("the stage {} needs itself: {}{}", first.name, path, first.name),
                           "an arrow leads from a stage to one that it names in \"from\" or \"in\"");
}

}  // namespace

void check_references(const Pipeline& pipeline, const sandbox::ConfigSource& source, const LocalFiles& files) {
    const References references(pipeline, source, files);
    Problems problems;
    for (const Stage& stage : pipeline.stages) {
        problems.attempt([&] { references.check_root(stage); });
        for (const Input& input : stage.inputs) problems.attempt([&] { references.check_input(stage, input); });
    }
    for (const Result& result : pipeline.results) {
        problems.attempt([&] { references.find_artifact(result.stage, result.artifact, result.at); });
    }
    problems.raise();
    check_cycle(pipeline, references);
}

}  // namespace stages
