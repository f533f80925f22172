// Which stage needs which, and an order in which they can be built. Stages are meant by their place in the
// pipeline. Knows nothing of what is built already, nor of running. All functions are linear in stages and
// references, but for the order's logarithm.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "stages/pipeline/pipeline.hpp"

namespace stages {

class Graph {
  public:
    // Looks at `pipeline` only while it is made, but for the stages' names: the pipeline must live as long.
    // A reference to a stage that does not exist is left out: read_pipeline() has refused it with its
    // position.
    explicit Graph(const Pipeline& pipeline);

    [[nodiscard]] std::size_t size() const noexcept { return dependencies_.size(); }
    // The place of a stage. Throws std::invalid_argument, with what was probably meant, for a name that is
    // none.
    [[nodiscard]] std::size_t place_of(std::string_view stage) const;
    // Ascending, each once.
    [[nodiscard]] const std::vector<std::size_t>& dependencies(std::size_t stage) const;
    [[nodiscard]] const std::vector<std::size_t>& dependents(std::size_t stage) const;

    // A cycle, as a → b → a without the repeated end, the first in the order of the file leading; empty where
    // there is none. A stage that needs itself is a cycle of one.
    [[nodiscard]] std::vector<std::size_t> cycle() const;

    // Every stage after those that it needs; of those that could come next, the first in the order of the
    // file. The graph must have no cycle.
    [[nodiscard]] std::vector<std::size_t> order() const;
    // The same for the named stages and all that they need; all stages where nothing is named.
    [[nodiscard]] std::vector<std::size_t> order_for(std::span<const std::string> stages) const;

  private:
    [[nodiscard]] std::vector<std::size_t> order_of(const std::vector<char>& wanted) const;

    std::unordered_map<std::string_view, std::size_t> places_;
    std::vector<std::vector<std::size_t>> dependencies_;
    std::vector<std::vector<std::size_t>> dependents_;
};

// The stages that this one names, as it names them; a stage may be there twice.
std::vector<std::string_view> stages_named_by(const Stage& stage);

}  // namespace stages
