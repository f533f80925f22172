// One stage until it has a result or is given up: its runs one after the other, the pauses between them, and the
// command that recovers. The caller says when a pause that is over may end in a new run: there may be no room for it.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "runtime/engine/stage_run.hpp"

namespace runtime::engine {

using StageEnd = std::variant<Built, Failure>;

class StageAttempts {
  public:
    // None of them may destroy the object.
    struct Tell {
        std::function<void(StageEnd)> ended;         // once
        std::function<void(const Failure&)> paused;  // an attempt has failed so, and there will be another one
        std::function<void()> rested;                // the pause is over; go_on() is due
    };

    StageAttempts(StageContext& context, const stages::Stage& stage, Resolved resolved, Tell tell);
    ~StageAttempts();
    StageAttempts(const StageAttempts&) = delete;
    StageAttempts& operator=(const StageAttempts&) = delete;

    // The first attempt, and the next one.
    void start() { run_command({}); }
    void go_on();
    // As StageRun's; for what runs, not for a pause.
    void stop();
    void kill();
    void freeze();
    void thaw(std::chrono::steady_clock::duration time);
    // Ends a pause without another attempt. The last one's failure.
    Failure end_pause();

    // Which attempt it is at; 1 is the first.
    [[nodiscard]] unsigned number() const noexcept { return number_; }
    [[nodiscard]] const Resolved& resolved() const noexcept { return resolved_; }
    [[nodiscard]] std::string log_path() const;
    // Of the last run.
    [[nodiscard]] const std::deque<std::string>& last_lines() const { return run_->last_lines(); }
    [[nodiscard]] const store::Usage& usage() const { return run_->usage(); }
    [[nodiscard]] const jail::DenialLog& denials() const { return run_->denials(); }

  private:
    void run_command(std::optional<store::Staging> left);
    void start_run(RunStart::Command command, std::optional<store::Staging> left);
    void run_ended(RunEnd end);
    void failed(Failure failure);
    void recovered();
    void give_up(Failure failure);
    void pause(unsigned most);

    StageContext& context_;
    const stages::Stage& stage_;
    Resolved resolved_;
    Tell tell_;
    sandbox::os::Fd log_;
    std::unique_ptr<StageRun> run_;
    unsigned number_ = 1;
    bool is_recovering_ = false;
    bool is_stopped_ = false;
    std::optional<Failure> last_;  // of the attempt before
    sandbox::os::EventLoop::Timer timer_ = 0;
};

}  // namespace runtime::engine
