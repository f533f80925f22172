#include "runtime/report/output.hpp"

#include <fcntl.h>

#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::report {

using sandbox::os::Fd;
using sandbox::os::sys;
using sandbox::os::try_sys;

namespace {
constexpr std::size_t remembered_lines =
    100;                                    // more than are shown: what tells the class of a failure may come earlier
constexpr std::size_t longest_line = 4096;  // shown in parts beyond that, so that a payload cannot fill the memory
}  // namespace

StageOutput::StageOutput(std::string stage, Fd log, Console& console, sandbox::os::EventLoop& loop)
    : stage_(std::move(stage)), log_(std::move(log)), console_(console), loop_(loop) {
    int ends[2];
    sys([&] { return ::pipe2(ends, O_CLOEXEC); }, "make a pipe for the stage's output");
    reader_ = Fd(ends[0]);
    writer_ = Fd(ends[1]);
    // Only our end: O_NONBLOCK belongs to the open file, and the payload's end is another one.
    sys([&] { return ::fcntl(reader_.get(), F_SETFL, O_NONBLOCK); }, "set the output pipe up");
    loop_.watch(reader_.get(), [this] {
        if (read_some() == 0) loop_.forget(reader_.get());
    });
}

StageOutput::~StageOutput() {
    loop_.forget(reader_.get());
}

// How much was read: 0 at the end of the output, -EAGAIN where there is nothing now.
long StageOutput::read_some() {
    char buffer[65536];
    const long got = try_sys([&] { return ::read(reader_.get(), buffer, sizeof buffer); });
    if (got <= 0) return got;
    const std::string_view bytes(buffer, static_cast<std::size_t>(got));
    log(bytes);
    take(bytes);
    if (came_) came_();
    return got;
}

// A log that cannot be written (no space) is no reason to end a build; that it is not whole is said.
void StageOutput::log(std::string_view bytes) {
    if (!log_) return;
    try {
        sandbox::os::write_all(log_.get(), bytes, "the log");
    } catch (const sandbox::os::SysError& error) {
        console_.warning(sandbox::os::format("stage {}: its log ends too early: {}", stage_, error.what()));
        log_.reset();
    }
}

void StageOutput::take(std::string_view bytes) {
    for (const char byte : bytes) {
        const bool is_end_of_crlf = byte == '\n' && std::exchange(has_ended_by_cr_, false);
        if ((byte == '\n' && !is_end_of_crlf) || line_.size() >= longest_line) end_line();
        if (byte == '\r') {
            // A progress display that paints over its own line, or a line of a terminal, which has a newline after it.
            has_ended_by_cr_ = has_ended_by_cr_ || !line_.empty();
            if (!line_.empty()) end_line();
        } else if (byte != '\n') {
            has_ended_by_cr_ = false;
            line_ += byte;
        }
    }
}

void StageOutput::end_line() {
    console_.stage_line(stage_, line_);
    last_.push_back(std::move(line_));
    if (last_.size() > remembered_lines) last_.pop_front();
    line_.clear();
}

void StageOutput::finish() {
    writer_.reset();
    while (read_some() > 0) {
    }
    if (!line_.empty()) end_line();
}

}  // namespace runtime::report
