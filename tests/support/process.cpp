#include "tests/support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"

extern char** environ;

namespace tests::support {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;

namespace {

struct Pipe {
    Fd reader;
    Fd writer;
};

Pipe make_pipe() {
    int ends[2];
    sys([&] { return ::pipe2(ends, O_CLOEXEC); }, "make a pipe");
    return {Fd(ends[0]), Fd(ends[1])};
}

std::vector<std::string> environment(const std::map<std::string, std::string>& more) {
    std::vector<std::string> entries;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        if (!more.contains(std::string(text.substr(0, text.find('='))))) entries.emplace_back(text);
    }
    for (const auto& [name, value] : more) entries.push_back(format("{}={}", name, value));
    return entries;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

}  // namespace

Process::Process(const Start& start) : name_(start.argv.front()) {
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    std::vector<std::string> words = start.argv;
    std::vector<std::string> entries = environment(start.env);
    const std::vector<char*> argv = pointers(words);
    const std::vector<char*> envp = pointers(entries);
    const int streams[3] = {in.reader.get(), out.writer.get(), err.writer.get()};
    pid_ = static_cast<pid_t>(sys([] { return ::fork(); }, "fork"));
    if (pid_ == 0) {
        ::setsid();
        ::signal(SIGHUP, SIG_DFL);  // builds believe nohup(1), which is the suite's own affair
        for (int i = 0; i < 3; ++i) ::dup2(start.terminal >= 0 ? start.terminal : streams[i], i);
        if (start.in_child) start.in_child();
        ::execve(argv.front(), argv.data(), envp.data());
        ::_exit(127);
    }
    in.reader.reset();
    sandbox::os::write_all(in.writer.get(), start.input, "standard input");
    out_ = std::move(out.reader);
    err_ = std::move(err.reader);
}

Process::~Process() {
    if (pid_ < 0) return;
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void Process::signal(int number) const {
    ::kill(pid_, number);
}

void Process::signal_group(int number) const {
    ::kill(-pid_, number);
}

void Process::give_up(const std::string& why) const {
    throw std::runtime_error(format("{}: {}\nits output:\n{}\nits errors:\n{}", name_, why, result_.out, result_.err));
}

bool Process::read_some(Moment end) {
    pollfd waiting[2] = {{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0 || ::poll(waiting, 2, static_cast<int>(left.count())) == 0) give_up("no end in sight");
    const auto take = [](Fd& from, const pollfd& state, std::string& to) {
        if ((state.revents & (POLLIN | POLLHUP | POLLERR)) == 0) return;
        char buffer[65536];
        const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
        if (got > 0) {
            to.append(buffer, static_cast<std::size_t>(got));
        } else {
            from.reset();
        }
    };
    take(out_, waiting[0], result_.out);
    take(err_, waiting[1], result_.err);
    return out_.get() >= 0 || err_.get() >= 0;
}

void Process::wait_for(std::string_view text, std::chrono::milliseconds limit) {
    const Moment end = std::chrono::steady_clock::now() + limit;
    const auto has_come = [&] {
        return result_.out.find(text) != std::string::npos || result_.err.find(text) != std::string::npos;
    };
    while (!has_come()) {
        if (!read_some(end) && !has_come()) give_up(format("ended without saying \"{}\"", text));
    }
}

Result Process::finish(std::chrono::milliseconds limit) {
    const Moment end = std::chrono::steady_clock::now() + limit;
    while (read_some(end)) {
    }
    int status = 0;
    // The pipes are at their end when the process is, but a program that closes its streams may go on.
    for (;;) {
        const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
        if (ended == pid_) break;
        if (std::chrono::steady_clock::now() >= end) give_up("closed its streams and does not end");
        ::usleep(1000);
    }
    pid_ = -1;
    result_.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return result_;
}

Result run(const Start& start, std::chrono::milliseconds limit) {
    return Process(start).finish(limit);
}

std::string value_of(const std::string& lines, const std::string& key) {
    const std::string start = key + "=";
    std::size_t at = 0;
    while (at < lines.size()) {
        const std::size_t end = std::min(lines.find('\n', at), lines.size());
        if (lines.compare(at, start.size(), start) == 0)
            return lines.substr(at + start.size(), end - at - start.size());
        at = end + 1;
    }
    return format("(no {})", key);
}

}  // namespace tests::support
