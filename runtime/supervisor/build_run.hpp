// The stages of one build, in order and side by side: looks each up, runs what is not there, and keeps what became of it.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/log.hpp"
#include "runtime/supervisor/build.hpp"
#include "runtime/supervisor/lock_file.hpp"
#include "runtime/supervisor/lock_wait.hpp"
#include "runtime/supervisor/stage_run.hpp"
#include "sandbox/idmap.hpp"
#include "stages/graph.hpp"

namespace runtime::supervisor {

enum class StageState : std::uint8_t { waiting, locked_out, running, syncing, cached, built, failed, skipped };

struct StageStatus {
    const stages::Stage* stage = nullptr;
    StageState state = StageState::waiting;
    std::optional<Failure> failure;
    std::string log;                     // of the run, where there was one
    std::deque<std::string> last_lines;  // of its output, where it failed
    std::unique_ptr<StageRun> run;
    std::unique_ptr<LockWait> lock_wait;
    std::optional<store::KeyLock> lock;
    store::Record record;
    DenialLog denials;
};

class BuildRun {
  public:
    BuildRun(const stages::Pipeline& pipeline, const BuildOptions& options, store::Store& store,
             report::Console& console);
    ~BuildRun();
    BuildRun(const BuildRun&) = delete;
    BuildRun& operator=(const BuildRun&) = delete;

    // Runs all; returns when each stage has ended one way or another, and its record is on the disk.
    void run();
    // Copies the results whose stages are done to a directory, under the names the stages gave them. Two of one name: an
    // error, and nothing is written.
    void export_results(const std::string& directory);
    // Deletes what was discarded. The helper processes end with the object.
    void empty_trash();

    [[nodiscard]] const std::vector<StageStatus>& stages() const noexcept { return stages_; }
    [[nodiscard]] const Results& results() const noexcept { return results_; }
    // The signal that ended the build; 0: none did.
    [[nodiscard]] int signal() const noexcept { return signal_; }
    [[nodiscard]] const std::string& place() const noexcept { return context_.run; }
    // The run's own log: what was done, and why.
    [[nodiscard]] Log& log() noexcept { return log_; }
    // How the stage's jail is looser than the strictest.
    [[nodiscard]] std::vector<std::string_view> loosened(const stages::Stage& stage) {
        return profiles_.loosened(stage);
    }
    [[nodiscard]] std::vector<pid_t> helpers() const;
    [[nodiscard]] const sandbox::IdMap& ids(sandbox::IdMode mode);
    // The widest mapping that this build has used; of one id where it used none.
    [[nodiscard]] sandbox::IdMap ids_in_use() const;

  private:
    void export_result(const stages::Result& result, const std::string& target);
    store::Keeper& keeper(sandbox::IdMode mode);
    store::Keeper& cleaner();
    void on_signal(int number);
    bool start_ready();
    bool is_ready(const StageStatus& status) const;
    bool has_failed_dependency(std::size_t place) const;
    void begin(StageStatus& status);
    bool use_cached(StageStatus& status, const Resolved& resolved);
    std::optional<store::Record> look_up(const stages::Stage& stage, const Resolved& resolved);
    void run_locked(StageStatus& status, Resolved resolved);
    void ended(StageStatus& status, StageEnd end);
    std::optional<Failure> check_pin(const stages::Stage& stage, const store::Record& record);
    void write_record(StageStatus& status);
    void finish(StageStatus& status, StageState state);
    void pin(const stages::Stage& stage, const store::Record& record);
    [[nodiscard]] bool is_refreshed(const stages::Stage& stage) const;
    [[nodiscard]] std::size_t running() const;
    void wait_for(bool& answered);

    const stages::Pipeline& pipeline_;
    const BuildOptions& options_;
    store::Store& store_;
    report::Console& console_;
    stages::Graph graph_;
    sandbox::os::EventLoop loop_;
    Profiles profiles_;
    std::map<sandbox::IdMode, sandbox::IdMap> ids_;
    std::map<sandbox::IdMode, std::unique_ptr<store::Keeper>> keepers_;
    LockFile lock_file_;
    Resolver resolver_;
    StageContext context_;
    Log log_;
    std::vector<StageStatus> stages_;
    std::map<std::size_t, std::size_t> index_of_place_;  // place in the graph -> index in stages_
    Results results_;
    std::size_t jobs_;
    int signal_ = 0;
};

}  // namespace runtime::supervisor
