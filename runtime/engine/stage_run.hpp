// One attempt at a stage, on its way from "its key is not in the store" to what a record can name: staging, jail,
// sealing, commit. Everything happens in callbacks of the event loop; `done` is called once, and must not destroy the
// run. Knows nothing of other stages.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "runtime/engine/classify.hpp"
#include "runtime/engine/noted_result.hpp"
#include "runtime/engine/resolve_stage.hpp"
#include "runtime/engine/stage_failure.hpp"
#include "runtime/engine/stage_jail.hpp"
#include "runtime/engine/stage_services.hpp"
#include "runtime/engine/stage_steps.hpp"
#include "runtime/engine/store_helpers.hpp"
#include "runtime/host/receipt/watch.hpp"
#include "runtime/jail/cgroups.hpp"
#include "runtime/jail/denial_watch.hpp"
#include "runtime/jail/limit_watch.hpp"
#include "runtime/jail/user_network.hpp"
#include "runtime/report/output.hpp"
#include "runtime/store/helper.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/launch/launch.hpp"

namespace runtime::engine {

struct Built {
    store::Record record;
};

// The command that mends what a failed attempt left has ended well.
struct Recovered {};

using RunEnd = std::variant<Built, Recovered, Failure>;

// What a run needs from its build; everything outlives it.
struct StageContext {
    sandbox::os::EventLoop& loop;
    store::Store& store;
    StoreHelpers& helpers;
    Profiles& profiles;
    jail::JailCgroups& cgroups;
    report::Console& console;
    host::Watch& watch;
    std::string pipeline;  // name
    std::string run;       // place of the run in the store
    LockUse lock_use = LockUse::noted;
    // What is noted for the stage's key; nothing where it is asked for anew, or nothing is noted.
    std::function<std::optional<NotedResult>(const stages::Stage&, const std::string& key)> noted = {};
};

// What a run begins with.
struct RunStart {
    enum class Command : std::uint8_t { of_stage, recover } command = Command::of_stage;
    sandbox::os::Fd log;
    // What the attempt before left, to go on in; nothing: afresh.
    std::optional<store::Staging> left = {};
};

class StageRun {
  public:
    using Done = std::function<void(RunEnd)>;

    StageRun(StageContext& context, const stages::Stage& stage, const Resolved& resolved, RunStart start, Done done);
    ~StageRun();
    StageRun(const StageRun&) = delete;
    StageRun& operator=(const StageRun&) = delete;

    void start();
    // Asks the payload to end, and kills it after the stage's `grace`. A stage that has not come so far, or is past it,
    // ends too.
    void stop();
    // Ends every process of the stage at once.
    void kill();
    // Stops every process of the jail, and lets them go on; `time`: how long they stood. Limits do not count it.
    void freeze();
    void thaw(std::chrono::steady_clock::duration time);
    // After a failure: the place becomes the failed stage that `stagebox shell --failed` shows, or the next run's.
    void keep_failed(const Failure& failure);
    [[nodiscard]] std::optional<store::Staging> take_left() {
        return place_ ? place_->take_place() : std::exchange(left_, std::nullopt);
    }

    // Of its output, or of the service that it failed for.
    [[nodiscard]] const std::deque<std::string>& last_lines() const {
        const bool is_service = services_ && !services_->last_lines().empty();
        return is_service ? services_->last_lines() : output_->last_lines();
    }
    // Of its command; nothing where that has not ended.
    [[nodiscard]] const store::Usage& usage() const noexcept { return record_.usage; }
    // What the filter denied its command; whole when the jail has ended.
    [[nodiscard]] const jail::DenialLog& denials() const noexcept { return denials_; }

  private:
    void launch();
    [[nodiscard]] std::variant<sandbox::Jail, sandbox::SetupError> start_jail();
    void ask_to_end();
    // Also after the command's end: what it made takes time to be kept.
    void over_limit(jail::Limit which, const std::string& what);
    void jail_ended();
    void judge(const sandbox::Outcome& outcome);
    void seal();
    [[nodiscard]] store::Owners owners() const;
    void seal_layer();
    void take_outputs();
    void confirm();
    [[nodiscard]] std::vector<store::TreePair> pairs_with(const NotedResult& noted) const;
    void tell_differences(const sandbox::os::Json& answer);
    void decide();
    void refuse();
    void return_outputs();
    void sync();
    void commit();
    void end(RunEnd how);
    void fail(Failure failure);
    void write_failed_note(const Failure& failure) const;
    [[nodiscard]] EndFacts facts_of(const sandbox::Outcome& outcome) const;

    StageContext& context_;
    const stages::Stage& stage_;
    const Resolved& resolved_;
    RunStart::Command which_;
    Done done_;
    store::StoreHelper& helper_;
    std::unique_ptr<report::StageOutput> output_;
    std::optional<store::Staging> left_;  // until the start
    StageSteps steps_;
    std::optional<StageJail> place_;
    jail::UserNetwork network_;
    std::string network_lost_;  // why, where it was before the jail's end
    std::optional<sandbox::Jail> jail_;
    std::unique_ptr<jail::DenialWatch> watch_;
    jail::DenialLog denials_;
    std::optional<StageServices> services_;
    store::Record record_;
    std::chrono::steady_clock::time_point started_;
    std::optional<jail::LimitWatch> limits_;
    sandbox::os::EventLoop::Timer grace_ = 0;
    std::size_t next_output_ = 0;
    std::optional<jail::Limit> over_limit_;
};

// The stage's log, relative to the store.
std::string log_place(const StageContext& context, const stages::Stage& stage);

}  // namespace runtime::engine
