// A stage's output: read from its pipe, cut into lines, kept as a log, its last lines remembered for a failure report.
#pragma once
#include <deque>
#include <functional>
#include <string>

#include "runtime/report/console.hpp"
#include "sandbox/os/event_loop.hpp"
#include "sandbox/os/fd.hpp"

namespace runtime::report {

class StageOutput {
  public:
    // `log` takes every byte as it came; `console` gets whole lines.
    StageOutput(std::string stage, sandbox::os::Fd log, Console& console, sandbox::os::EventLoop& loop);
    ~StageOutput();
    StageOutput(const StageOutput&) = delete;
    StageOutput& operator=(const StageOutput&) = delete;

    // Where the jail writes to; close_writer() once it has been started.
    [[nodiscard]] int writer() const noexcept { return writer_.get(); }
    void close_writer() { writer_.reset(); }
    // Called after every byte or bunch of bytes that comes.
    void on_output(std::function<void()> came) { came_ = std::move(came); }
    // Takes what is still in the pipe; nobody writes any more.
    void finish();
    [[nodiscard]] const std::deque<std::string>& last_lines() const noexcept { return last_; }

  private:
    long read_some();
    void log(std::string_view bytes);
    void take(std::string_view bytes);
    void end_line();

    std::string stage_;
    sandbox::os::Fd log_;
    Console& console_;
    sandbox::os::EventLoop& loop_;
    sandbox::os::Fd reader_;
    sandbox::os::Fd writer_;
    std::function<void()> came_;
    std::string line_;
    bool has_ended_by_cr_ = false;  // the line before
    std::deque<std::string> last_;
};

}  // namespace runtime::report
