#include "stages/pipeline/graph.hpp"

#include <chrono>
#include <map>
#include <random>

#include "tests/support/catch.hpp"

using stages::Graph;
using stages::Pipeline;
using stages::Stage;

namespace {

// Stages by name, each with the stages that it takes inputs from.
Pipeline pipeline_of(const std::vector<std::pair<std::string, std::vector<std::string>>>& needs) {
    Pipeline pipeline;
    for (const auto& [name, inputs] : needs) {
        Stage stage;
        stage.name = name;
        for (const std::string& input : inputs) {
            stage.inputs.push_back(
                {"/in/" + std::to_string(stage.inputs.size()), stages::ArtifactTree{input, "x"}, {}});
        }
        pipeline.stages.push_back(stage);
    }
    return pipeline;
}

std::string names(const Pipeline& pipeline, const std::vector<std::size_t>& places) {
    std::string text;
    for (const std::size_t place : places) text += pipeline.stages[place].name;
    return text;
}

}  // namespace

TEST_CASE("graph: needed stages come first, the rest in the order of the file", "[graph]") {
    const Pipeline pipeline = pipeline_of({{"d", {"b", "c"}}, {"b", {"a"}}, {"a", {}}, {"c", {"a", "a"}}, {"e", {}}});
    const Graph graph(pipeline);
    CHECK(names(pipeline, graph.order()) == "abcde");
    CHECK(names(pipeline, graph.dependencies(0)) == "bc");
    CHECK(names(pipeline, graph.dependencies(3)) == "a");
    CHECK(names(pipeline, graph.dependents(2)) == "bc");
    CHECK(graph.cycle().empty());

    const std::vector<std::string> c{"c"};
    CHECK(names(pipeline, graph.order_for(c)) == "ac");
    const std::vector<std::string> two{"e", "b", "b"};
    CHECK(names(pipeline, graph.order_for(two)) == "abe");
    CHECK(names(pipeline, graph.order_for({})) == "abcde");
}

TEST_CASE("graph: roots count as needs", "[graph]") {
    Pipeline pipeline = pipeline_of({{"b", {}}, {"a", {}}, {"c", {}}});
    pipeline.stages[0].from = stages::StageTree{"a"};
    pipeline.stages[2].from = stages::ArtifactTree{"b", "x"};
    const Graph graph(pipeline);
    CHECK(names(pipeline, graph.order()) == "abc");
}

TEST_CASE("graph: an unknown stage", "[graph]") {
    const Pipeline pipeline = pipeline_of({{"rootfs", {}}, {"system", {}}});
    const Graph graph(pipeline);
    const std::vector<std::string> wrong{"sytsem"};
    CHECK_THROWS_WITH(graph.order_for(wrong), "no stage is called \"sytsem\": did you mean \"system\"?");
    CHECK_THROWS_WITH(graph.place_of("x"), "no stage is called \"x\"");
}

TEST_CASE("graph: cycles", "[graph]") {
    const auto cycle = [](const Pipeline& pipeline) { return names(pipeline, Graph(pipeline).cycle()); };
    CHECK(cycle(pipeline_of({{"a", {"a"}}})) == "a");
    CHECK(cycle(pipeline_of({{"a", {"c"}}, {"b", {}}, {"c", {"a"}}})) == "ac");
    // x only leads to the cycle; the cycle's first stage of the file leads, wherever the walk came in.
    CHECK(cycle(pipeline_of({{"x", {"c"}}, {"b", {"c"}}, {"c", {"d"}}, {"d", {"b"}}})) == "bcd");
}

TEST_CASE("graph: any order is valid, whatever the graph", "[graph]") {
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        const std::size_t size = 1 + random() % 12;
        std::vector<std::pair<std::string, std::vector<std::string>>> needs;
        for (std::size_t i = 0; i < size; ++i) needs.push_back({std::string(1, static_cast<char>('a' + i)), {}});
        // Needs lead down in a random numbering, so there is no cycle.
        std::vector<std::size_t> rank(size);
        for (std::size_t i = 0; i < size; ++i) rank[i] = i;
        std::shuffle(rank.begin(), rank.end(), random);
        for (std::size_t i = 0; i < size; ++i) {
            for (std::size_t j = 0; j < size; ++j) {
                if (rank[j] < rank[i] && random() % 3 == 0) needs[i].second.push_back(needs[j].first);
            }
        }
        const Pipeline pipeline = pipeline_of(needs);
        const Graph graph(pipeline);
        CHECK(graph.cycle().empty());
        const std::vector<std::size_t> order = graph.order();
        REQUIRE(order.size() == size);
        std::vector<std::size_t> when(size);
        for (std::size_t i = 0; i < size; ++i) when[order[i]] = i;
        for (std::size_t i = 0; i < size; ++i) {
            for (const std::size_t needed : graph.dependencies(i)) CHECK(when[needed] < when[i]);
        }
    }
}

TEST_CASE("graph: cost grows with the size only", "[graph]") {
    Pipeline pipeline;
    for (std::size_t i = 0; i < 100'000; ++i) {
        Stage stage;
        stage.name = "s" + std::to_string(i);
        if (i > 0) stage.from = stages::StageTree{"s" + std::to_string(i - 1)};
        pipeline.stages.push_back(stage);
    }
    const auto begin = std::chrono::steady_clock::now();
    const Graph graph(pipeline);
    CHECK(graph.cycle().empty());
    CHECK(graph.order().size() == 100'000);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}
