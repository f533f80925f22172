#include "runtime/report/console.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::report {

using sandbox::os::format;

using sandbox::os::Fd;

namespace {

// Whoever reads it may be gone, and the disk may be full: neither is a reason to stop a build.
void write_what_goes(int fd, std::string_view text) {
    while (!text.empty()) {
        const long wrote = sandbox::os::try_sys([&] { return ::write(fd, text.data(), text.size()); });
        if (wrote <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

// The console's own are the only escapes there are: those of others it does not let through.
std::string without_colours(std::string_view text) {
    std::string plain;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t escape = std::min(text.find("\033[", at), text.size());
        plain += text.substr(at, escape - at);
        at = std::min(text.find('m', escape), text.size() - 1) + 1;
    }
    return plain;
}

// tty(4): of one that was hung up, poll(2) says so.
bool is_gone(int stream) {
    pollfd state = {stream, POLLOUT, 0};
    return ::poll(&state, 1, 0) == 1 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

}  // namespace

Console::Console() {
    for (int stream = 0; stream < 3; ++stream) is_terminal_[stream] = ::isatty(stream) == 1;
    const char* no_color = std::getenv("NO_COLOR");
    has_colours_ = is_terminal_[2] && (no_color == nullptr || *no_color == '\0');
}

void Console::keep(Fd log) {
    log_ = std::move(log);
}

void Console::redirect(int stream) {
    ::dup2(log_.get(), stream);
    is_log_[stream] = true;
    if (stream == 2) has_colours_ = false;
}

void Console::leave_terminal() {
    for (const int stream : {1, 2}) {
        if (is_terminal_[stream] && is_gone(stream)) redirect(stream);
    }
}

void Console::detach() {
    const Fd null(sandbox::os::sys([] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }, "open /dev/null"));
    ::dup2(null.get(), 0);
    for (const int stream : {1, 2}) redirect(stream);
}

std::string Console::paint(std::string_view code, std::string_view text) const {
    return has_colours_ ? format("\033[{}m{}\033[0m", code, text) : std::string(text);
}

std::string Console::bold(std::string_view text) const {
    return paint("1", text);
}
std::string Console::red(std::string_view text) const {
    return paint("31", text);
}
std::string Console::green(std::string_view text) const {
    return paint("32", text);
}
std::string Console::dim(std::string_view text) const {
    return paint("2", text);
}

std::string Console::prefix(std::string_view stage) const {
    return paint("36", format("{:>{}} | ", stage, width_));
}

// One write(2) a line, so that lines of others on the same terminal do not fall into it.
void Console::write(int stream, const std::string& text) const {
    if (!is_log_[stream]) write_what_goes(stream, text);
    if (log_) write_what_goes(log_.get(), has_colours_ ? without_colours(text) : text);
}

void Console::stage_line(std::string_view stage, std::string_view line) {
    using enum sandbox::os::Colours;
    write(2, format("{}{}\n", prefix(stage), sandbox::os::printable_output(line, has_colours_ ? kept : dropped)));
}

void Console::stage_note(std::string_view stage, std::string_view text) {
    write(2, format("{}{}\n", prefix(stage), bold(text)));
}

void Console::note(std::string_view text) {
    write(2, format("{}\n", text));
}

void Console::warning(std::string_view text) {
    write(2, format("{} {}\n", paint("33", "warning:"), text));
}

void Console::error(std::string_view text) {
    write(2, format("{} {}\n", red("error:"), text));
}

void Console::result(std::string_view name, std::string_view path) {
    write(1, format("{} {}\n", name, path));
}

}  // namespace runtime::report
