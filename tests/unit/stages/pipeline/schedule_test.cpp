// The rule of error modes, without processes: hand-made cases, and random graphs driven to their end with failures in
// random places, each compared with what the manual page promises, computed another way.
#include "stages/pipeline/schedule.hpp"

#include <algorithm>
#include <random>
#include <set>

#include "tests/support/catch.hpp"

using stages::ErrorMode;
using stages::Graph;
using stages::Pipeline;
using stages::Schedule;
using stages::StageState;

namespace {

void add(Pipeline& pipeline, const std::string& name, const std::vector<std::string>& needs) {
    stages::Stage stage;
    stage.name = name;
    for (const std::string& other : needs) {
        stage.inputs.push_back({"/in/" + other, stages::ArtifactTree{other, "x"}, {}});
    }
    pipeline.stages.push_back(std::move(stage));
}

Pipeline diamond(ErrorMode errors) {
    Pipeline pipeline;
    add(pipeline, "top", {});
    add(pipeline, "left", {"top"});
    add(pipeline, "right", {"top"});
    add(pipeline, "bottom", {"left", "right"});
    for (stages::Stage& stage : pipeline.stages) stage.on_failure.errors = errors;
    return pipeline;
}

enum Place : std::size_t { top, left, right, bottom };

void build(Schedule& schedule, std::size_t place) {
    schedule.start(place);
    schedule.finish(place);
}

std::set<std::size_t> reachable(const Graph& graph, std::size_t from) {
    std::set<std::size_t> found;
    std::vector<std::size_t> open = {from};
    while (!open.empty()) {
        const std::size_t place = open.back();
        open.pop_back();
        for (const std::size_t other : graph.dependents(place)) {
            if (found.insert(other).second) open.push_back(other);
        }
    }
    return found;
}

// One random build: a graph, its rules, which stages fail, and the order in which things happen.
class RandomBuild {
  public:
    RandomBuild(std::uint64_t seed, std::size_t size) : random_(seed) {
        for (std::size_t i = 0; i < size; ++i) add_stage(i);
        if (chance(3)) pipeline_.results.push_back({"result", name(number(size)), "x", {}});
        if (chance(4)) named_.push_back(name(number(size)));
    }

    void run() {
        const Graph graph(pipeline_);
        graph_ = &graph;
        Schedule schedule(graph, pipeline_, named_);
        const std::size_t jobs = 1 + number(4);
        while (!schedule.is_over()) step(schedule, jobs);
        check(graph, schedule);
    }

  private:
    static std::string name(std::size_t place) { return "s" + std::to_string(place); }
    std::size_t number(std::size_t below) { return random_() % below; }
    bool chance(std::size_t one_of) { return number(one_of) == 0; }

    void add_stage(std::size_t place) {
        std::set<std::string> needs;
        for (std::size_t i = number(4); place > 0 && i > 0; --i) needs.insert(name(number(place)));
        add(pipeline_, name(place), {needs.begin(), needs.end()});
        stages::FailureRules& rules = pipeline_.stages.back().on_failure;
        rules.errors = chance(40) ? ErrorMode::strict : chance(2) ? ErrorMode::permissive : ErrorMode::graceful;
        rules.is_optional = chance(2);
        fails_.push_back(chance(8));
    }

    // One thing that can happen, by chance.
    void step(Schedule& schedule, std::size_t jobs) {
        CHECK(schedule.running() == running_.size());
        const std::size_t choice = number(3);
        if (choice == 0 && !schedule.ready().empty() && running_.size() < jobs) {
            begin(schedule);
        } else if (choice == 1 && !running_.empty()) {
            end(schedule, take(running_));
        } else if (choice == 2 && !held_.empty()) {
            schedule.release(take(held_));
        }
    }

    void begin(Schedule& schedule) {
        const std::size_t place = *schedule.ready().begin();
        for (const std::size_t needed : graph_->dependencies(place)) {
            CHECK(stages::has_result(schedule.state(needed)));
        }
        CHECK_FALSE(schedule.is_stopping());
        if (!fails_[place] && chance(4)) {
            schedule.use_cached(place);
        } else if (chance(5)) {
            schedule.hold(place);
            held_.push_back(place);
        } else {
            schedule.start(place);
            running_.push_back(place);
        }
    }

    void end(Schedule& schedule, std::size_t place) {
        if (schedule.is_stopping()) {
            // What was told to stop may have failed of itself in that moment.
            if (fails_[place] && chance(2)) {
                CHECK(schedule.fail(place));
            } else {
                schedule.end_stopped(place);
            }
        } else if (!fails_[place]) {
            schedule.finish(place);
        } else if (chance(3)) {
            schedule.hold(place);  // tried again later
            held_.push_back(place);
        } else if (schedule.fail(place)) {
            CHECK(pipeline_.stages[place].on_failure.errors == ErrorMode::strict);
            held_.clear();  // skipped
        }
    }

    std::size_t take(std::vector<std::size_t>& places) {
        const auto at = places.begin() + static_cast<std::ptrdiff_t>(number(places.size()));
        const std::size_t place = *at;
        places.erase(at);
        return place;
    }

    // What stagebox.toml(5) promises, from the states alone.
    void check(const Graph& graph, const Schedule& schedule) const {
        std::set<std::size_t> lost;
        bool counts = false;
        for (const std::size_t place : schedule.order()) {
            if (schedule.state(place) != StageState::failed) continue;
            CHECK(fails_[place]);
            const std::set<std::size_t> after = reachable(graph, place);
            lost.insert(after.begin(), after.end());
            const stages::FailureRules& rules = pipeline_.stages[place].on_failure;
            counts = counts || rules.errors != ErrorMode::permissive || !rules.is_optional;
        }
        for (const std::size_t place : schedule.order()) {
            const StageState state = schedule.state(place);
            CHECK(stages::is_over(state));
            if (lost.contains(place)) CHECK(state == StageState::skipped);
            // Without a stop nothing is left out that could be built, and all of it is kept.
            if (!schedule.is_stopping() && !lost.contains(place)) {
                CHECK((fails_[place] ? state == StageState::failed : stages::has_result(state)));
            }
            if (state == StageState::stopped) CHECK(schedule.is_stopping());
            const bool is_named = std::ranges::find(named_, name(place)) != named_.end();
            const bool has_line = !pipeline_.results.empty() && pipeline_.results.front().stage == name(place);
            const bool may_be_missing = state == StageState::failed;  // counted above, or tolerated
            if (!stages::has_result(state) && (is_named || (has_line && !may_be_missing))) counts = true;
        }
        CHECK(schedule.has_failed() == counts);
    }

    std::mt19937_64 random_;
    Pipeline pipeline_;
    const Graph* graph_ = nullptr;
    std::vector<std::string> named_;
    std::vector<char> fails_;
    std::vector<std::size_t> running_;
    std::vector<std::size_t> held_;
};

}  // namespace

TEST_CASE("schedule: stages start when what they need is there", "[schedule]") {
    const Pipeline pipeline = diamond(ErrorMode::graceful);
    const Graph graph(pipeline);
    Schedule schedule(graph, pipeline, {});
    CHECK(schedule.ready() == std::set<std::size_t>{top});
    schedule.start(top);
    CHECK(schedule.ready().empty());
    CHECK_THROWS(schedule.start(left));
    schedule.finish(top);
    CHECK(schedule.ready() == std::set<std::size_t>{left, right});
    build(schedule, left);
    CHECK_FALSE(schedule.ready().contains(bottom));
    schedule.use_cached(right);
    build(schedule, bottom);
    CHECK(schedule.is_over());
    CHECK_FALSE(schedule.has_failed());
}

TEST_CASE("schedule: graceful skips what needs the failed stage, and nothing else", "[schedule]") {
    const Pipeline pipeline = diamond(ErrorMode::graceful);
    const Graph graph(pipeline);
    Schedule schedule(graph, pipeline, {});
    build(schedule, top);
    schedule.start(left);
    CHECK_FALSE(schedule.fail(left));
    CHECK(schedule.state(bottom) == StageState::skipped);
    CHECK(schedule.skipped_for(bottom) == left);
    build(schedule, right);
    CHECK(schedule.is_over());
    CHECK(schedule.has_failed());
}

TEST_CASE("schedule: strict stops all", "[schedule]") {
    Pipeline pipeline = diamond(ErrorMode::graceful);
    pipeline.stages[left].on_failure.errors = ErrorMode::strict;
    const Graph graph(pipeline);
    Schedule schedule(graph, pipeline, {});
    build(schedule, top);
    schedule.start(left);
    schedule.start(right);
    CHECK(schedule.fail(left));
    CHECK(schedule.ready().empty());
    CHECK_FALSE(schedule.is_over());
    schedule.end_stopped(right);
    CHECK(schedule.is_over());
    CHECK(schedule.has_failed());
}

TEST_CASE("schedule: permissive does not count an optional stage, unless something is owed", "[schedule]") {
    Pipeline pipeline = diamond(ErrorMode::permissive);
    pipeline.stages[left].on_failure.is_optional = true;
    std::vector<std::string> named;
    bool has_failed = false;
    SECTION("nothing is owed") {}
    SECTION("its own result may be missing") {
        pipeline.results.push_back({"r", "left", "x", {}});
    }
    SECTION("the result of a stage that needs it may not") {
        pipeline.results.push_back({"r", "bottom", "x", {}});
        has_failed = true;
    }
    SECTION("nor a stage that was named") {
        named = {"left", "right"};
        has_failed = true;
    }
    SECTION("and a stage that is not optional counts") {
        pipeline.stages[left].on_failure.is_optional = false;
        has_failed = true;
    }
    SECTION("as an optional one does in another mode") {
        pipeline.stages[left].on_failure.errors = ErrorMode::graceful;
        has_failed = true;
    }
    const Graph graph(pipeline);
    Schedule schedule(graph, pipeline, named);
    build(schedule, top);
    schedule.start(left);
    CHECK_FALSE(schedule.fail(left));
    build(schedule, right);
    CHECK(schedule.is_over());
    CHECK(schedule.has_failed() == has_failed);
}

TEST_CASE("schedule: a stage that is held neither counts as running nor is forgotten", "[schedule]") {
    const Pipeline pipeline = diamond(ErrorMode::graceful);
    const Graph graph(pipeline);
    Schedule schedule(graph, pipeline, {});
    schedule.start(top);
    schedule.hold(top);
    CHECK(schedule.running() == 0);
    CHECK(schedule.ready().empty());
    CHECK_FALSE(schedule.is_over());
    SECTION("it goes on") {
        schedule.release(top);
        build(schedule, top);
        CHECK(schedule.ready() == std::set<std::size_t>{left, right});
    }
    SECTION("it ends with the build") {
        schedule.stop();
        CHECK(schedule.is_over());
        CHECK(schedule.state(top) == StageState::stopped);  // it has run
    }
}

TEST_CASE("schedule: every end of a random build is the one that the error modes promise", "[schedule]") {
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        INFO("seed " << seed);
        RandomBuild(seed, 1 + seed % 40).run();
    }
}

TEST_CASE("schedule: so are those of graphs of 2,000 stages", "[schedule]") {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        INFO("seed " << seed);
        RandomBuild(seed, 2000).run();
    }
}
