// The stages of one build: looks each up, runs what is not there, and keeps what became of it. Which may start, and
// what a failure means for the others, is stages/pipeline/schedule.hpp's.
#pragma once
#include <signal.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/stage_attempts.hpp"
#include "runtime/engine/store_helpers.hpp"
#include "runtime/report/events.hpp"
#include "runtime/report/log.hpp"
#include "runtime/supervisor/admission.hpp"
#include "runtime/supervisor/build_view.hpp"
#include "runtime/supervisor/lock_wait.hpp"
#include "runtime/supervisor/pins.hpp"
#include "stages/pipeline/graph.hpp"
#include "stages/pipeline/schedule.hpp"

namespace runtime::supervisor {

class BuildRun {
  public:
    // Borrows all; `place`: of the run, in the store.
    BuildRun(const stages::Pipeline& pipeline, const BuildOptions& options, store::Store& store,
             report::Console& console, host::Watch& watch, report::EventLog& events, const std::string& place);
    ~BuildRun();
    BuildRun(const BuildRun&) = delete;
    BuildRun& operator=(const BuildRun&) = delete;

    // A signal that ends the build has come, and may not be heard yet: it is when run() or poll_signals() looks.
    [[nodiscard]] bool is_told_to_end() const;
    void poll_signals();
    // Runs all; returns when each stage has ended one way or another, and its record is on the disk.
    void run();
    // Copies the results whose stages are done to a directory; see ResultExport.
    void export_results(const std::string& directory);
    // Deletes what was discarded, until a signal comes or two have come. The helper processes end with the object.
    void empty_trash();
    // When no jail runs any more.
    void close_cgroups() { cgroups_.close(); }

    // As long as this lives.
    [[nodiscard]] BuildView view() const;
    [[nodiscard]] const engine::Results& results() const noexcept { return results_; }
    [[nodiscard]] report::EventLog& events() const noexcept { return events_; }
    // Of the run, in the store.
    [[nodiscard]] const std::string& place() const noexcept { return context_.run; }
    // The run's own log: what was done, and why.
    [[nodiscard]] Log& log() noexcept { return log_; }
    // What belongs to this run, as the receipt knows it.
    [[nodiscard]] host::Ours ours() const;

  private:
    [[nodiscard]] StageState state(const StageStatus& status) const { return schedule_.state(status.place); }
    void say_limits(const stages::Stage& stage);
    [[nodiscard]] sigset_t ending_signals() const;
    void on_signal(int number);
    void hang_up();
    void suspend();
    void watch_host();
    void stop_running();
    void start_ready();
    [[nodiscard]] std::optional<std::size_t> next_to_start();
    [[nodiscard]] Machine machine();
    bool may_start(StageStatus& status);
    void say_what_will_not_fit(const StageStatus& status);
    void note_usage(StageStatus& status, const std::string& result);
    void begin(StageStatus& status);
    bool is_refused(StageStatus& status, const std::string& key);
    bool take_lock(StageStatus& status, const std::string& key);
    bool use_cached(StageStatus& status, const engine::Resolved& resolved);
    void run_locked(StageStatus& status, engine::Resolved resolved);
    void ended(StageStatus& status, engine::StageEnd end);
    void failed(StageStatus& status);
    void paused(StageStatus& status, const engine::Failure& failure);
    void give_up(StageStatus& status);
    void could_not_start(StageStatus& status, engine::Failure failure);
    void note_use(const std::string& key);
    [[nodiscard]] std::optional<engine::Failure> keep_result(StageStatus& status, const store::Record& record);
    void built(StageStatus& status, store::Record record);
    void release_lock(StageStatus& status);
    void tell_over(StageStatus& status);
    void tell_all_over();
    void tell_start(const StageStatus& status);
    StageStatus& status_of(std::size_t place) { return stages_[index_of_place_[place]]; }

    const stages::Pipeline& pipeline_;
    const BuildOptions& options_;
    store::Store& store_;
    report::Console& console_;
    report::EventLog& events_;
    stages::Graph graph_;
    stages::Schedule schedule_;
    sandbox::os::EventLoop loop_;
    engine::Profiles profiles_;
    jail::JailCgroups cgroups_;  // outlives each jail
    engine::StoreHelpers helpers_;
    Pins pins_;
    engine::Resolver resolver_;
    engine::StageContext context_;
    Log log_;
    std::vector<StageStatus> stages_;          // in the order of the schedule
    std::vector<std::size_t> index_of_place_;  // place in the pipeline -> index in stages_
    std::vector<StageStatus*> ended_;          // whose work is over, and to be destroyed outside of its own callbacks
    engine::Results results_;
    std::size_t jobs_;
    std::uint64_t bytes_at_rest_ = 0;  // of memory; see Machine
    int signal_ = 0;                   // the first that ends the build
    std::size_t signals_ = 0;          // how many came that do
    bool outlives_session_;            // a hangup does not end the build
    bool has_hung_up_ = false;
};

}  // namespace runtime::supervisor
