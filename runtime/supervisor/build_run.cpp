#include "runtime/supervisor/build_run.hpp"

#include <signal.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/engine/input_digest.hpp"
#include "runtime/engine/machine.hpp"
#include "runtime/store/ledger.hpp"
#include "runtime/supervisor/result_export.hpp"
#include "runtime/supervisor/stage_report.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::supervisor {

using sandbox::os::format;

namespace {

engine::Failure failure_of(const sandbox::os::SysError& error) {
    const engine::FailureClass kind = engine::class_of_error(error.error(), engine::FailureClass::jail);
    return {.kind = kind, .problem = {error.what(), std::string(stages::advice_for(kind, stages::HasNetwork::no))}};
}

// nohup(1) has said so too, by ignoring the signal; it would come all the same, because it is blocked (signal(7)).
bool outlives_session(const stages::Pipeline& pipeline, const BuildOptions& options) {
    struct sigaction hangup = {};
    ::sigaction(SIGHUP, nullptr, &hangup);
    return options.session == BuildSession::own || pipeline.on_disconnect == stages::OnDisconnect::go_on ||
           hangup.sa_handler == SIG_IGN;
}

}  // namespace

BuildRun::BuildRun(const stages::Pipeline& pipeline, const BuildOptions& options, store::Store& store,
                   report::Console& console, host::Watch& watch, report::EventLog& events, const std::string& place)
    : pipeline_(pipeline),
      options_(options),
      store_(store),
      console_(console),
      events_(events),
      graph_(pipeline),
      schedule_(graph_, pipeline, options.stages),
      profiles_(pipeline),
      helpers_(store, loop_, console),
      pins_(pipeline, options.refresh, options.lock_use, store, console),
      resolver_(pipeline, store, profiles_),
      context_{loop_,
               store,
               helpers_,
               profiles_,
               cgroups_,
               console,
               watch,
               pipeline.name,
               place,
               options.lock_use,
               [this](const stages::Stage& stage, const std::string& key) { return pins_.noted(stage, key); }},
      log_(format("{}/{}/stagebox.log", store.path(), context_.run)),
      index_of_place_(pipeline.stages.size()),
      jobs_(options.jobs != 0 ? options.jobs : static_cast<std::size_t>(::get_nprocs())),
      outlives_session_(outlives_session(pipeline, options)) {
    stages_.reserve(schedule_.order().size());
    for (const std::size_t one : schedule_.order()) {
        index_of_place_[one] = stages_.size();
        StageStatus& status = stages_.emplace_back();
        status.stage = &pipeline.stages[one];
        status.place = one;
        profiles_.check(pipeline.stages[one]);
        status.granted = profiles_.granted(pipeline.stages[one]);
        say_limits(pipeline.stages[one]);
    }
    for (const std::string& note : profiles_.notes()) console_.warning(note);
    loop_.take_signals({SIGINT, SIGTERM, SIGHUP, SIGTSTP}, [this](int number) { on_signal(number); });
    resolver_.end_at(ending_signals());
}

BuildRun::~BuildRun() = default;

BuildView BuildRun::view() const {
    return {.pipeline = pipeline_,
            .options = options_,
            .schedule = schedule_,
            .stages = stages_,
            .signal = signal_,
            .counted_by = cgroups_.words()};
}

// Where no cgroup keeps them all, and the pipeline says that less will do.
void BuildRun::say_limits(const stages::Stage& stage) {
    const std::string words = sandbox::os::join(profiles_.check_limits(stage, cgroups_));
    if (!words.empty()) console_.warning(format("stage {} has no cgroup for its limits: {}", stage.name, words));
}

sigset_t BuildRun::ending_signals() const {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGINT);
    ::sigaddset(&signals, SIGTERM);
    if (!outlives_session_) ::sigaddset(&signals, SIGHUP);
    return signals;
}

bool BuildRun::is_told_to_end() const {
    sigset_t pending;
    ::sigpending(&pending);
    const auto has = [&](int number) { return ::sigismember(&pending, number) == 1; };
    return signal_ != 0 || has(SIGINT) || has(SIGTERM) || (has(SIGHUP) && !outlives_session_);
}

void BuildRun::poll_signals() {
    while (signal_ == 0 && is_told_to_end()) loop_.run_once();
}

// The first asks the running stages to end and starts no other; the second ends them at once.
void BuildRun::on_signal(int number) {
    if (number == SIGTSTP) {
        suspend();
    } else if (number == SIGHUP && outlives_session_) {
        hang_up();
    } else if (++signals_ == 1) {
        signal_ = number;
        events_.write("signal", {{"signal", number}});
        console_.note(schedule_.running() == 0 ? "interrupted" : "interrupted: the running stages are told to end");
        stop_running();
    } else {
        for (StageStatus& status : stages_) {
            if (status.work && state(status) == StageState::running) status.work->kill();
        }
    }
}

// The terminal has gone. It may be told more than once, by the kernel and by a shell.
void BuildRun::hang_up() {
    console_.leave_terminal();
    if (std::exchange(has_hung_up_, true)) return;
    events_.write("hangup");
    log_.info("the terminal has gone; the build goes on");
    console_.note("the terminal has gone, and the build goes on: stagebox attach follows it");
}

// Ctrl-Z: the payloads stand, then we do; SIGCONT lets all go on. What is not ours to see is SIGSTOP, which no process
// can catch: then the payloads run on.
void BuildRun::suspend() {
    const auto each_running = [this](auto act) {
        for (StageStatus& status : stages_) {
            if (status.work && state(status) == StageState::running) act(*status.work);
        }
    };
    each_running([](engine::StageAttempts& work) { work.freeze(); });
    const auto before = std::chrono::steady_clock::now();
    ::kill(::getpid(), SIGSTOP);
    const auto stood = std::chrono::steady_clock::now() - before;
    loop_.postpone(stood);
    each_running([stood](engine::StageAttempts& work) { work.thaw(stood); });
}

// In good order: each gets its SIGTERM and its grace.
void BuildRun::stop_running() {
    schedule_.stop();
    for (StageStatus& status : stages_) {
        const StageState now = state(status);
        if (status.work && now == StageState::running) status.work->stop();
        if (!stages::is_over(now)) continue;
        if (status.work && !status.failure && now == StageState::stopped) {
            status.failure = status.work->end_pause();
            status.last_lines = status.work->last_lines();
            ended_.push_back(&status);
        }
        release_lock(status);
    }
    tell_all_over();
}

// While stages run there is nothing else to do.
void BuildRun::watch_host() {
    loop_.after(std::chrono::seconds(1), [this] {
        context_.watch.sample_if_due(ours());
        watch_host();
    });
}

host::Ours BuildRun::ours() const {
    return {.store = store_.path(),
            .supervisor = ::getpid(),
            .wanted = helpers_.pids(),
            .ids = helpers_.ids_in_use(),
            .user = ::geteuid()};
}

void BuildRun::run() {
    watch_host();
    for (;;) {
        start_ready();
        for (StageStatus* status : ended_) status->work.reset();
        ended_.clear();
        if (schedule_.is_over()) break;
        loop_.run_once();
    }
    tell_all_over();
}

// One that is found in the store may make others ready.
void BuildRun::start_ready() {
    while (const auto place = next_to_start()) begin(status_of(*place));
}

// The first in the file; one that was looked at and has to wait lets others go before it.
std::optional<std::size_t> BuildRun::next_to_start() {
    if (schedule_.running() >= jobs_) return std::nullopt;
    for (const std::size_t place : schedule_.ready()) {
        StageStatus& status = status_of(place);
        const bool is_looked_at = status.resolved || status.work;
        if (!is_looked_at || may_start(status)) return place;
    }
    return std::nullopt;
}

Machine BuildRun::machine() {
    const std::uint64_t now = engine::available_memory();
    if (schedule_.running() == 0) bytes_at_rest_ = now;
    return {.processors = static_cast<double>(::get_nprocs()),
            .bytes_at_rest = bytes_at_rest_,
            .bytes_now = now,
            .free_disk = engine::free_bytes(store_.directory()).value_or(UINT64_MAX)};
}

bool BuildRun::may_start(StageStatus& status) {
    std::vector<Expected> running;
    for (const std::size_t place : schedule_.running_stages()) running.push_back(status_of(place).expected);
    const auto why = why_wait(status.expected, running, machine());
    if (why && !std::exchange(status.has_said_why, true)) {
        console_.stage_note(status.stage->name, format("waits: {}", *why));
        log_.info("stage {}: waits: {}", status.stage->name, *why);
    }
    return !why;
}

void BuildRun::say_what_will_not_fit(const StageStatus& status) {
    if (status.expected == Expected{}) return;
    for (const std::string& what : what_will_not_fit(status.expected, machine())) {
        console_.warning(format("stage {} may not fit: {}", status.stage->name, what));
        log_.warn("stage {}: may not fit: {}", status.stage->name, what);
    }
}

// The ledger is no result: that it cannot be kept is no reason to lose one.
void BuildRun::note_usage(StageStatus& status, const std::string& result) {
    if (status.usage.seconds <= 0) return;
    try {
        store::Ledger(store_.directory())
            .add(pipeline_.name, status.stage->name,
                 {.run = context_.run,
                  .finished = report::now_text(),
                  .result = result,
                  .usage = status.usage,
                  .made_bytes = store::made_bytes(status.record)});
    } catch (const std::exception& error) {
        log_.warn("stage {}: its usage could not be noted: {}", status.stage->name, error.what());
    }
}

void BuildRun::begin(StageStatus& status) {
    if (status.work) {
        schedule_.start(status.place);
        ++status.attempts;
        tell_start(status);
        status.work->go_on();
        return;
    }
    try {
        if (!status.resolved) {
            engine::Resolved resolved = resolver_.resolve(*status.stage, results_);
            if (is_refused(status, resolved.key) || use_cached(status, resolved)) return;
            status.expected = expected_of(store::Ledger(store_.directory()).entries(pipeline_.name, status.stage->name),
                                          profiles_.limits(*status.stage));
            status.resolved.emplace(std::move(resolved));
            if (!may_start(status)) return;
        }
        if (!take_lock(status, status.resolved->key)) return;
        // The holder before us may have built it.
        if (is_refused(status, status.resolved->key) || use_cached(status, *status.resolved)) return;
        engine::Resolved resolved = *std::move(status.resolved);
        status.resolved.reset();
        run_locked(status, std::move(resolved));
    } catch (const engine::Interrupted&) {
        poll_signals();
    } catch (const sandbox::os::SysError& error) {
        if (stages::is_over(state(status))) throw;
        could_not_start(status, failure_of(error));
    }
}

// The store or this process has no room for what the stage needs before its jail: that ends the stage, not the build.
void BuildRun::could_not_start(StageStatus& status, engine::Failure failure) {
    if (state(status) != StageState::running) schedule_.start(status.place);
    if (status.work) ended_.push_back(&status);
    status.failure = std::move(failure);
    give_up(status);
}

bool BuildRun::is_refused(StageStatus& status, const std::string& key) {
    auto refusal = pins_.refusal(*status.stage, key);
    if (refusal) could_not_start(status, *std::move(refusal));
    return refusal.has_value();
}

// Where another build has it, the stage is held until that lets go.
bool BuildRun::take_lock(StageStatus& status, const std::string& key) {
    const std::string holder = format("process {} (stage {} of {})", ::getpid(), status.stage->name, pipeline_.file);
    const auto try_lock = [&] {
        if (auto lock = store_.try_lock(key, holder)) status.lock.emplace(std::move(*lock));
        return status.lock.has_value();
    };
    if (!try_lock()) {
        if (!status.lock_wait) {
            events_.write("wait", {{"stage", status.stage->name}, {"holder", store_.lock_holder(key)}});
            console_.stage_note(status.stage->name,
                                format("waits for {}, which builds the same stage", store_.lock_holder(key)));
        }
        status.lock_wait = std::make_unique<LockWait>(store_.lock_path(key), loop_,
                                                      [this, place = status.place] { schedule_.release(place); });
        // Between the first try and the watch it may have been let go.
        if (!try_lock()) {
            schedule_.hold(status.place);
            return false;
        }
    }
    status.lock_wait.reset();
    return true;
}

bool BuildRun::use_cached(StageStatus& status, const engine::Resolved& resolved) {
    auto record = pins_.look_up(*status.stage, resolved);
    if (!record || !store_.holds(*record)) return false;
    note_use(record->key);
    pins_.take(*status.stage, *record);
    results_[status.stage->name] = {*record, resolver_.layers_of(*record, resolved)};
    status.record = std::move(*record);
    status.usage = status.record.usage;
    log_.info("stage {}: in the store under {}", status.stage->name, resolved.key);
    schedule_.use_cached(status.place);
    release_lock(status);
    tell_over(status);
    return true;
}

// A note that cannot be made only lets `store gc` think the result older than it is.
void BuildRun::note_use(const std::string& key) {
    try {
        store_.touch(key);
    } catch (const sandbox::os::SysError& error) {
        log_.warn("{}", error.what());
    }
}

void BuildRun::run_locked(StageStatus& status, engine::Resolved resolved) {
    static_cast<void>(helpers_.ids(status.stage->ids));  // what is said of them comes before the stage's first line
    say_what_will_not_fit(status);
    schedule_.start(status.place);
    status.attempts = 1;
    tell_start(status);
    console_.stage_note(status.stage->name, "starts");
    log_.info("stage {}: runs for {}", status.stage->name, resolved.key);
    status.work = std::make_unique<engine::StageAttempts>(
        context_, *status.stage, std::move(resolved),
        engine::StageAttempts::Tell{
            .ended = [this, &status](engine::StageEnd end) { ended(status, std::move(end)); },
            .paused = [this, &status](const engine::Failure& failure) { paused(status, failure); },
            .rested = [this, &status] { schedule_.release(status.place); }});
    status.log = status.work->log_path();
    status.work->start();
}

void BuildRun::ended(StageStatus& status, engine::StageEnd end) {
    ended_.push_back(&status);
    context_.watch.stage_ended(status.stage->name);
    status.last_lines = status.work->last_lines();
    status.usage = status.work->usage();
    status.denials = status.work->denials();
    for (const std::string& line : to_lines(status.denials, jail::DenialLog::most_kinds)) {
        log_.info("stage {}: {}", status.stage->name, line);
    }
    if (auto* result = std::get_if<engine::Built>(&end)) {
        status.failure = keep_result(status, result->record);
        if (!status.failure) {
            built(status, std::move(result->record));
            return;
        }
    } else {
        status.failure = std::get<engine::Failure>(end);
    }
    give_up(status);
}

void BuildRun::give_up(StageStatus& status) {
    release_lock(status);
    note_usage(status, std::string(name_of(status.failure->kind)));
    log_.warn("stage {}: {}: {}", status.stage->name, name_of(status.failure->kind), status.failure->problem.what);
    if (status.failure->kind == engine::FailureClass::interrupted) {
        schedule_.end_stopped(status.place);
        tell_over(status);
        console_.stage_note(status.stage->name, "stopped");
    } else {
        failed(status);
    }
}

void BuildRun::failed(StageStatus& status) {
    console_.stage_note(status.stage->name, console_.red(format("failed: {}", status.failure->problem.what)));
    const bool was_stopping = schedule_.is_stopping();
    const bool is_stopping = schedule_.fail(status.place);
    if (!is_stopping || was_stopping) {
        tell_all_over();
        return;
    }
    console_.note(format("stage {} has failed, and errors = \"strict\": {}", status.stage->name,
                         schedule_.running() == 0 ? "no other is started" : "the running stages are told to end"));
    stop_running();
}

// Why the stage has no result after all.
std::optional<engine::Failure> BuildRun::keep_result(StageStatus& status, const store::Record& record) {
    try {
        store_.write(record);
    } catch (const sandbox::os::SysError& error) {
        return failure_of(error);
    }
    pins_.take(*status.stage, record);
    return std::nullopt;
}

void BuildRun::built(StageStatus& status, store::Record record) {
    results_[status.stage->name] = {record, resolver_.layers_of(record, status.work->resolved())};
    status.record = std::move(record);
    log_.info("stage {}: recorded, {:.2f} s, {:.2f} s of CPU", status.stage->name, status.record.usage.seconds,
              status.record.usage.cpu_seconds);
    note_usage(status, "built");
    schedule_.finish(status.place);
    release_lock(status);
    tell_over(status);
    console_.stage_note(status.stage->name,
                        format("done in {}", sandbox::os::human_seconds(status.record.usage.seconds)));
}

void BuildRun::paused(StageStatus& status, const engine::Failure& failure) {
    schedule_.hold(status.place);
    events_.write("pause",
                  {{"stage", status.stage->name}, {"class", name_of(failure.kind)}, {"what", failure.problem.what}});
}

void BuildRun::tell_start(const StageStatus& status) {
    events_.write("start", {{"stage", status.stage->name}, {"attempt", status.attempts}});
}

void BuildRun::tell_over(StageStatus& status) {
    if (std::exchange(status.is_told, true)) return;
    events_.write("stage", stage_event(view(), status));
}

// Those that ended without having run, too.
void BuildRun::tell_all_over() {
    for (StageStatus& status : stages_) {
        if (!status.is_told && stages::is_over(state(status))) tell_over(status);
    }
}

void BuildRun::release_lock(StageStatus& status) {
    status.lock_wait.reset();
    status.lock.reset();
}

void BuildRun::export_results(const std::string& directory) {
    ResultExport(pipeline_, results_, helpers_, loop_, console_, [this] { return signal_ != 0; }).to(directory);
}

void BuildRun::empty_trash() {
    const std::size_t before = signals_;
    helpers_.empty_trash([this, before] { return signals_ > before || signals_ > 1; });
}

}  // namespace runtime::supervisor
