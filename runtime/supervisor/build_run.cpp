#include "runtime/supervisor/build_run.hpp"

#include <signal.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::supervisor {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

bool is_over(StageState state) {
    return state == StageState::cached || state == StageState::built || state == StageState::failed ||
           state == StageState::skipped;
}

bool has_result(StageState state) {
    return state == StageState::cached || state == StageState::built || state == StageState::syncing;
}

}  // namespace

BuildRun::BuildRun(const stages::Pipeline& pipeline, const BuildOptions& options, store::Store& store,
                   report::Console& console)
    : pipeline_(pipeline),
      options_(options),
      store_(store),
      console_(console),
      graph_(pipeline),
      profiles_(pipeline),
      lock_file_(pipeline.directory),
      resolver_(pipeline, store, profiles_),
      context_{loop_,
               store,
               [this](sandbox::IdMode mode) -> store::Keeper& { return keeper(mode); },
               [this](sandbox::IdMode mode) -> const sandbox::IdMap& { return ids(mode); },
               profiles_,
               console,
               pipeline.name,
               store.begin_run()},
      log_(format("{}/{}/stagebox.log", store.path(), context_.run)),
      jobs_(options.jobs != 0 ? options.jobs : static_cast<std::size_t>(::get_nprocs())) {
    for (const std::size_t place : graph_.order_for(options.stages)) {
        index_of_place_[place] = stages_.size();
        stages_.emplace_back().stage = &pipeline.stages[place];
        profiles_.check(pipeline.stages[place]);
    }
    for (const std::string& note : profiles_.notes()) console_.warning(note);
    loop_.take_signals({SIGINT, SIGTERM, SIGHUP}, [this](int number) { on_signal(number); });
}

BuildRun::~BuildRun() = default;

const sandbox::IdMap& BuildRun::ids(sandbox::IdMode mode) {
    const auto found = ids_.find(mode);
    if (found != ids_.end()) return found->second;
    const sandbox::IdMapChoice choice = sandbox::resolve_idmap(mode);
    if (::geteuid() == 0) console_.note(choice.why);
    if (mode == sandbox::IdMode::range) store_.bind_to(choice.map);
    return ids_[mode] = choice.map;
}

sandbox::IdMap BuildRun::ids_in_use() const {
    const auto range = ids_.find(sandbox::IdMode::range);
    if (range != ids_.end()) return range->second;
    return ids_.empty() ? sandbox::IdMap{.uid_base = ::geteuid(), .gid_base = ::getegid()} : ids_.begin()->second;
}

store::Keeper& BuildRun::keeper(sandbox::IdMode mode) {
    const auto found = keepers_.find(mode);
    if (found != keepers_.end()) return *found->second;
    auto made = std::make_unique<store::Keeper>(ids(mode), store_.directory(), loop_);
    return *(keepers_[mode] = std::move(made));
}

std::vector<pid_t> BuildRun::helpers() const {
    std::vector<pid_t> pids;
    for (const auto& [mode, keeper] : keepers_) pids.push_back(keeper->pid());
    return pids;
}

// The first asks the running stages to end and starts no other; the second ends them at once.
void BuildRun::on_signal(int number) {
    const bool is_first = signal_ == 0;
    if (is_first) {
        signal_ = number;
        console_.note(running() == 0 ? "interrupted" : "interrupted: the running stages are told to end");
    }
    for (StageStatus& status : stages_) {
        if (status.run && status.state == StageState::running) {
            if (is_first) {
                status.run->stop();
            } else {
                status.run->kill();
            }
        }
        if (status.state == StageState::waiting || status.state == StageState::locked_out) {
            finish(status, StageState::skipped);
        }
    }
}

std::size_t BuildRun::running() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(stages_, [](const StageStatus& status) { return status.state == StageState::running; }));
}

void BuildRun::run() {
    for (;;) {
        while (start_ready()) {
        }
        if (std::ranges::all_of(stages_, [](const StageStatus& status) { return is_over(status.state); })) return;
        loop_.run_once();
        for (StageStatus& status : stages_) {
            if (status.run && status.state != StageState::running) status.run.reset();
        }
    }
}

bool BuildRun::has_failed_dependency(std::size_t place) const {
    return std::ranges::any_of(graph_.dependencies(place), [&](std::size_t needed) {
        const StageState state = stages_[index_of_place_.at(needed)].state;
        return state == StageState::failed || state == StageState::skipped;
    });
}

bool BuildRun::is_ready(const StageStatus& status) const {
    const std::size_t place = graph_.place_of(status.stage->name);
    return std::ranges::all_of(graph_.dependencies(place), [&](std::size_t needed) {
        return has_result(stages_[index_of_place_.at(needed)].state);
    });
}

// Starts what can be started; true where that may have made more possible.
bool BuildRun::start_ready() {
    bool has_changed = false;
    for (const auto& [place, index] : index_of_place_) {
        StageStatus& status = stages_[index];
        if (status.state != StageState::waiting) continue;
        if (has_failed_dependency(place)) {
            finish(status, StageState::skipped);
            has_changed = true;
        } else if (is_ready(status) && running() < jobs_) {
            begin(status);
            has_changed = has_changed || is_over(status.state);
        }
    }
    return has_changed;
}

bool BuildRun::is_refreshed(const stages::Stage& stage) const {
    return std::ranges::find(options_.refresh, stage.name) != options_.refresh.end();
}

void BuildRun::begin(StageStatus& status) {
    Resolved resolved = resolver_.resolve(*status.stage, results_);
    if (use_cached(status, resolved)) return;
    const std::string holder = format("process {} (stage {} of {})", ::getpid(), status.stage->name, pipeline_.file);
    const auto try_lock = [&] {
        if (auto lock = store_.try_lock(resolved.key, holder)) status.lock.emplace(std::move(*lock));
        return status.lock.has_value();
    };
    if (!try_lock()) {
        if (!status.lock_wait) {
            console_.stage_note(status.stage->name,
                                format("waits for {}, which builds the same stage", store_.lock_holder(resolved.key)));
        }
        status.state = StageState::locked_out;
        status.lock_wait = std::make_unique<LockWait>(store_.lock_path(resolved.key), loop_,
                                                      [&status] { status.state = StageState::waiting; });
        // Between the first try and the watch it may have been let go.
        if (!try_lock()) return;
    }
    status.lock_wait.reset();
    // The holder before us may have built it.
    if (use_cached(status, resolved)) return;
    run_locked(status, std::move(resolved));
}

// What the pin names is the result, whatever the store last recorded for the key; else the record is.
std::optional<store::Record> BuildRun::look_up(const stages::Stage& stage, const Resolved& resolved) {
    if (is_refreshed(stage)) return std::nullopt;
    auto record = store_.find(resolved.key);
    const Pin* pinned = stage.network != sandbox::Network::none ? lock_file_.find(stage.name) : nullptr;
    if (pinned == nullptr || pinned->key != resolved.key) return record;
    if (record && pin_of(*record) == *pinned) return record;
    store::Record from_pin;
    from_pin.key = resolved.key;
    from_pin.components = resolved.components;
    from_pin.pipeline = pipeline_.name;
    from_pin.stage = stage.name;
    from_pin.run = context_.run;
    from_pin.finished = now_text();
    from_pin.layer = pinned->layer;
    from_pin.tree = pinned->tree;
    from_pin.artifacts = pinned->artifacts;
    if (!store_.holds(from_pin)) return std::nullopt;
    store_.write(from_pin);
    return from_pin;
}

bool BuildRun::use_cached(StageStatus& status, const Resolved& resolved) {
    auto record = look_up(*status.stage, resolved);
    if (!record || !store_.holds(*record)) return false;
    store_.touch(record->key);
    if (status.stage->network != sandbox::Network::none) pin(*status.stage, *record);
    results_[status.stage->name] = {*record, resolver_.layers_of(*record, resolved)};
    status.record = std::move(*record);
    log_.info("stage {}: in the store under {}", status.stage->name, resolved.key);
    finish(status, StageState::cached);
    return true;
}

void BuildRun::run_locked(StageStatus& status, Resolved resolved) {
    static_cast<void>(ids(status.stage->ids));  // what is to be said of them comes before the stage's first line
    status.state = StageState::running;
    console_.stage_note(status.stage->name, "starts");
    log_.info("stage {}: runs for {}", status.stage->name, resolved.key);
    status.run = std::make_unique<StageRun>(context_, *status.stage, std::move(resolved),
                                            [this, &status](StageEnd end) { ended(status, std::move(end)); });
    status.log = status.run->log_path();
    status.run->start();
}

void BuildRun::ended(StageStatus& status, StageEnd end) {
    status.last_lines = status.run->last_lines();
    status.denials = status.run->denials();
    for (const std::string& line : to_lines(status.denials, DenialLog::most_kinds)) {
        log_.info("stage {}: {}", status.stage->name, line);
    }
    if (auto* built = std::get_if<Built>(&end)) {
        status.failure = check_pin(*status.stage, built->record);
        if (!status.failure) {
            results_[status.stage->name] = {built->record, resolver_.layers_of(built->record, status.run->resolved())};
            status.record = std::move(built->record);
            write_record(status);
            return;
        }
    } else {
        status.failure = std::get<Failure>(end);
    }
    finish(status, StageState::failed);
    log_.warn("stage {}: failed: {}", status.stage->name, status.failure->what);
    console_.stage_note(status.stage->name, console_.red(format("failed: {}", status.failure->what)));
}

std::optional<Failure> BuildRun::check_pin(const stages::Stage& stage, const store::Record& record) {
    if (stage.network == sandbox::Network::none || is_refreshed(stage)) return std::nullopt;
    const Pin* pinned = lock_file_.find(stage.name);
    if (pinned == nullptr || pinned->key != record.key || *pinned == pin_of(record)) return std::nullopt;
    return Failure{FailureClass::pin, "the network gave something else than stagebox.lock has pinned",
                   format("`stagebox build --refresh {}` takes what is there now, and pins it", stage.name)};
}

void BuildRun::pin(const stages::Stage& stage, const store::Record& record) {
    try {
        lock_file_.pin(stage.name, pin_of(record));
    } catch (const sandbox::os::SysError& error) {
        console_.warning(format("stage {} could not be pinned: {}", stage.name, error.what()));
    }
}

// Stages that need this one go on at once; the record, which makes it last, comes after its data is on the disk.
void BuildRun::write_record(StageStatus& status) {
    status.state = StageState::syncing;
    keeper(status.stage->ids).sync([this, &status](const Json&, const std::string& error) {
        if (!error.empty()) throw store::StoreError(error);
        store_.write(status.record);
        if (status.stage->network != sandbox::Network::none) pin(*status.stage, status.record);
        log_.info("stage {}: recorded, {:.2f} s, {:.2f} s of CPU", status.stage->name, status.record.usage.seconds,
                  status.record.usage.cpu_seconds);
        finish(status, StageState::built);
        console_.stage_note(status.stage->name,
                            format("done in {}", report::human_seconds(status.record.usage.seconds)));
    });
}

void BuildRun::finish(StageStatus& status, StageState state) {
    status.state = state;
    status.lock_wait.reset();
    status.lock.reset();
}

void BuildRun::wait_for(bool& answered) {
    while (!answered) loop_.run_once();
}

void BuildRun::export_results(const std::string& directory) {
    // The keeper's working directory is the store, so it is given whole paths.
    const std::string top = directory.starts_with("/") ? directory : sandbox::os::real_path(".") + "/" + directory;
    std::map<std::string, const stages::Result*> targets;
    for (const stages::Result& result : pipeline_.results) {
        const auto& outputs = pipeline_.find(result.stage)->outputs;
        const auto output = std::ranges::find(outputs, result.artifact, &stages::Output::name);
        const std::string target = top + "/" + output->path.substr(output->path.rfind('/') + 1);
        const auto [other, is_new] = targets.emplace(target, &result);
        if (is_new) continue;
        throw store::StoreError(
            format("the results {} and {} would both be {}; nothing is written: give one of their "
                   "outputs another name",
                   other->second->name, result.name, target));
    }
    sandbox::os::make_directories(top, 0777);
    for (const auto& [target, result] : targets) export_result(*result, target);
}

void BuildRun::export_result(const stages::Result& result, const std::string& target) {
    const auto found = results_.find(result.stage);
    if (found == results_.end()) return;
    const store::Object& object = found->second.record.artifacts.at(result.artifact);
    bool answered = false;
    keeper(pipeline_.find(result.stage)->ids)
        .export_to("artifacts/" + object.id, target, [&](const Json&, const std::string& error) {
            answered = true;
            if (!error.empty()) throw store::StoreError(format("write {}: {}", target, error));
        });
    wait_for(answered);
    console_.note(format("{}: {}", result.name, target));
}

// The mapping of the range can delete what any jail made, because it has the caller's own id too; that of one id cannot.
store::Keeper& BuildRun::cleaner() {
    try {
        return keeper(sandbox::IdMode::range);
    } catch (const sandbox::IdMapError&) {
        return keeper(sandbox::IdMode::single);
    }
}

void BuildRun::empty_trash() {
    for (const std::string& place : store_.trash()) {
        bool answered = false;
        cleaner().remove(place, [&](const Json&, const std::string& error) {
            answered = true;
            if (!error.empty()) console_.warning(format("{} could not be deleted: {}", place, error));
        });
        wait_for(answered);
    }
}

}  // namespace runtime::supervisor
