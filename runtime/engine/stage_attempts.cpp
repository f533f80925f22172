#include "runtime/engine/stage_attempts.hpp"

#include <fcntl.h>

#include <random>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::engine {

using sandbox::os::format;

namespace {

sandbox::os::Fd copy_of(const sandbox::os::Fd& fd) {
    return sandbox::os::Fd(sandbox::os::sys([&] { return ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0); }, "hand the log on"));
}

stages::HasNetwork network_of(const stages::Stage& stage) {
    return stage.network == sandbox::Network::none ? stages::HasNetwork::no : stages::HasNetwork::yes;
}

// 0 to 1.
double chance() {
    std::random_device device;
    return static_cast<double>(device()) / static_cast<double>(std::random_device::max());
}

}  // namespace

StageAttempts::StageAttempts(StageContext& context, const stages::Stage& stage, Resolved resolved, Tell tell)
    : context_(context),
      stage_(stage),
      resolved_(std::move(resolved)),
      tell_(std::move(tell)),
      log_(sandbox::os::create_file(context.store.directory(), log_place(context, stage), 0644)) {}

StageAttempts::~StageAttempts() {
    context_.loop.cancel(timer_);
}

std::string StageAttempts::log_path() const {
    return context_.store.path() + "/" + log_place(context_, stage_);
}

void StageAttempts::run_command(std::optional<store::Staging> left) {
    start_run(RunStart::Command::of_stage, std::move(left));
}

void StageAttempts::start_run(RunStart::Command command, std::optional<store::Staging> left) {
    is_recovering_ = command == RunStart::Command::recover;
    run_.reset();  // what it still holds of its place is discarded
    run_ = std::make_unique<StageRun>(context_, stage_, resolved_, RunStart{command, copy_of(log_), std::move(left)},
                                      [this](RunEnd end) { run_ended(std::move(end)); });
    run_->start();
}

void StageAttempts::run_ended(RunEnd end) {
    if (auto* built = std::get_if<Built>(&end)) {
        tell_.ended(std::move(*built));
    } else if (auto* failure = std::get_if<Failure>(&end)) {
        failed(std::move(*failure));
    } else {
        recovered();
    }
}

void StageAttempts::failed(Failure failure) {
    if (is_recovering_ && failure.kind != FailureClass::interrupted) {
        last_->problem.what += format("; and the command that was to recover failed: {}", failure.problem.what);
        give_up(*last_);
        return;
    }
    const unsigned most = attempts_for(failure.kind, stage_.on_failure.retry, network_of(stage_));
    if (is_stopped_ || number_ >= most) {
        give_up(std::move(failure));
        return;
    }
    last_ = std::move(failure);
    pause(most);
}

void StageAttempts::give_up(Failure failure) {
    run_->keep_failed(failure);
    tell_.ended(std::move(failure));
}

void StageAttempts::pause(unsigned most) {
    const unsigned next = number_ + 1;
    const auto wait = stages::pause_before(next, stage_.on_failure.retry, chance());
    context_.console.stage_note(
        stage_.name, format("{}: {}; attempt {} of {} in {}", name_of(last_->kind), last_->problem.what, next, most,
                            sandbox::os::human_seconds(std::chrono::duration<double>(wait).count())));
    timer_ = context_.loop.after(wait, [this] { tell_.rested(); });
    tell_.paused(*last_);
}

Failure StageAttempts::end_pause() {
    context_.loop.cancel(timer_);
    run_->keep_failed(*last_);
    return *last_;
}

void StageAttempts::go_on() {
    ++number_;
    if (stage_.on_failure.recover.empty()) {
        run_command({});
        return;
    }
    context_.console.stage_note(stage_.name, "recovers");
    start_run(RunStart::Command::recover, run_->take_left());
}

// In a turn of the loop of its own: the run that has ended is still being left.
void StageAttempts::recovered() {
    timer_ = context_.loop.after(std::chrono::milliseconds(0), [this] {
        if (is_stopped_) {
            tell_.ended(Failure{.kind = FailureClass::interrupted, .problem = {"stopped"}});
        } else {
            run_command(run_->take_left());
        }
    });
}

void StageAttempts::stop() {
    is_stopped_ = true;
    run_->stop();
}

void StageAttempts::kill() {
    is_stopped_ = true;
    run_->kill();
}

void StageAttempts::freeze() {
    run_->freeze();
}

void StageAttempts::thaw(std::chrono::steady_clock::duration time) {
    run_->thaw(time);
}

}  // namespace runtime::engine
