// The rule by which the stages of one build start, are skipped and are stopped: what may start next, what a failure
// means for the others, and whether the build as a whole has failed. A value that is told what happens; it starts
// nothing itself and knows nothing of processes, time, and how many may run at once. Stages are meant by their place in
// the pipeline. Each call costs what it changes, so that a build of N stages costs their number and that of their
// references.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "stages/pipeline/graph.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace stages {

enum class StageState : std::uint8_t {
    waiting,  // for the stages that it needs, or for its turn
    held,     // for something else: another build's lock, the pause before another attempt
    running,
    cached,
    built,
    failed,
    stopped,  // while it ran or between two attempts, because the build ends
    skipped,  // never ran: what it needs has failed, or the build ends
};

// "cached", "built", ...
std::string_view name_of(StageState state);
// It will have no other state.
bool is_over(StageState state);
bool has_result(StageState state);

class Schedule {
  public:
    // Of the stages that `named` needs; of all where it is empty. Looks at graph and pipeline as long as it lives.
    // Throws as Graph::place_of().
    Schedule(const Graph& graph, const Pipeline& pipeline, std::span<const std::string> named);

    // The stages of this build, each after those that it needs.
    [[nodiscard]] const std::vector<std::size_t>& order() const noexcept { return order_; }
    [[nodiscard]] StageState state(std::size_t place) const { return states_.at(place); }
    // Waiting stages whose needs are there, the first in the file first.
    [[nodiscard]] const std::set<std::size_t>& ready() const noexcept { return ready_; }
    [[nodiscard]] const std::set<std::size_t>& running_stages() const noexcept { return running_; }
    [[nodiscard]] std::size_t running() const noexcept { return running_.size(); }
    [[nodiscard]] bool is_over() const noexcept { return open_ == 0; }

    void start(std::size_t place);    // ready -> running
    void hold(std::size_t place);     // ready or running -> held
    void release(std::size_t place);  // held -> ready
    void use_cached(std::size_t place);
    void finish(std::size_t place);  // running -> built: those that need it may start
    // running or held -> failed, and what that stage's error mode says. True where everything is to stop: the caller
    // then ends what runs, and tells with end_stopped().
    [[nodiscard]] bool fail(std::size_t place);
    void end_stopped(std::size_t place);  // running -> stopped
    // Nothing else starts: what waits is skipped, and what is held, too, or stopped where it had run.
    void stop();
    [[nodiscard]] bool is_stopping() const noexcept { return is_stopping_; }

    // The stage for whose failure this one was skipped; nothing where it was not skipped for one.
    [[nodiscard]] std::optional<std::size_t> skipped_for(std::size_t place) const;
    // Its failure does not count.
    [[nodiscard]] bool is_tolerated(std::size_t place) const;
    // Whether the build has failed by what has ended so far: a stage has whose failure counts, or a stage was skipped
    // that is owed, because it was named or a result is its.
    [[nodiscard]] bool has_failed() const;

  private:
    void become(std::size_t place, StageState state);
    void give_to_dependents(std::size_t place);
    void skip_dependents(std::size_t place);
    [[nodiscard]] bool is_owed(std::size_t place) const;

    const Graph& graph_;
    const Pipeline& pipeline_;
    std::vector<std::size_t> order_;
    std::vector<char> is_named_;
    std::vector<char> has_result_line_;  // a [result] is this stage's
    std::vector<char> has_run_;
    std::vector<StageState> states_;        // by place; of stages not in this build, skipped
    std::vector<std::size_t> missing_;      // by place: how many of its needs have no result yet
    std::vector<std::size_t> skipped_for_;  // by place: the failed stage, or none
    std::set<std::size_t> ready_;
    std::set<std::size_t> running_;
    std::size_t open_ = 0;
    bool has_counted_failure_ = false;
    bool is_stopping_ = false;
};

}  // namespace stages
