#include "runtime/cli/runs.hpp"

#include <signal.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <vector>

#include "runtime/report/run_state.hpp"
#include "runtime/store/run_lock.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/os/event_loop.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::cli {

using report::RunState;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::Json;

namespace {

constexpr std::size_t most_past_runs = 10;
constexpr std::size_t attach_lines = 20;

store::Store open_store(const RunsOptions& options) {
    return store::Store(options.store.empty() ? store::Store::default_path() : options.store);
}

// The oldest first: names begin with the time.
std::vector<std::string> names_of(const store::Store& store) {
    return sandbox::os::list_directory(sandbox::os::open_directory(store.directory(), "runs").get());
}

using Holder = std::optional<store::RunHolder>;

Holder holder_of(const store::Store& store, const std::string& run) {
    return store::find_holder(store.directory(), "runs/" + run);
}

// The holder was asked for before the events are read: a run that ends in between has said so in them.
std::optional<RunState> read_state(const store::Store& store, const std::string& run, const Holder& holder) {
    const auto events = sandbox::os::read_file_if_exists(store.directory(), "runs/" + run + "/events.jsonl");
    if (!events) return std::nullopt;
    std::optional<RunState> state = report::run_state(run, *events);
    if (state && holder) state->pid = holder->pid;
    return state;
}

std::optional<RunState> read_state(const store::Store& store, const std::string& run) {
    return read_state(store, run, holder_of(store, run));
}

std::invalid_argument no_such_run(const std::string& name, const std::vector<std::string>& alike) {
    if (alike.empty()) return std::invalid_argument(format("there is no run {}; stagebox status lists them", name));
    std::string names;
    for (const std::string& one : alike) names += (names.empty() ? "" : ", ") + one;
    return std::invalid_argument(format("more than one run begins with {}: {}", name, names));
}

std::string last_run(const store::Store& store) {
    std::vector<std::string> runs = names_of(store);
    std::ranges::reverse(runs);
    for (const std::string& run : runs) {
        if (read_state(store, run)) return run;
    }
    throw std::runtime_error("no build has run in this store");
}

std::string running_run(const store::Store& store) {
    std::vector<std::string> running;
    for (const std::string& run : names_of(store)) {
        if (holder_of(store, run)) running.push_back(run);
    }
    if (running.empty()) throw std::runtime_error("no build goes on in this store; stagebox log shows the last one");
    if (running.size() == 1) return running.front();
    std::string names;
    for (const std::string& run : running) names += "\n  stagebox attach " + run;
    throw std::runtime_error("more than one build goes on; name one:" + names);
}

// ---- Following --------------------------------------------------------------------------------------------------

// Copies a run's console log to standard output while it grows, until the run's supervisor has ended.
class Follower {
  public:
    Follower(const store::Store& store, const std::string& run)
        : log_(sandbox::os::open_to_read(store.directory(), "runs/" + run + "/console.log")),
          holder_(holder_of(store, run)) {
        inotify_ = Fd(sandbox::os::sys([] { return ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }, "follow a log"));
        const std::string path = format("{}/runs/{}/console.log", store.path(), run);
        sandbox::os::sys([&] { return ::inotify_add_watch(inotify_.get(), path.c_str(), IN_MODIFY); }, "follow {}",
                         path);
    }

    [[nodiscard]] bool is_running() const { return holder_.has_value(); }

    // Leaves out what is before the last so many lines.
    void skip_to_last(std::size_t lines) {
        const std::string text = sandbox::os::read_all(log_.get(), "the log");
        std::size_t begin = text.size();
        for (std::size_t i = 0; i < lines && begin > 1; ++i) begin = text.rfind('\n', begin - 2) + 1;  // npos + 1 is 0
        sandbox::os::sys([&] { return ::lseek(log_.get(), static_cast<off_t>(begin), SEEK_SET); }, "read the log");
    }

    void copy() {
        const std::string text = sandbox::os::read_all(log_.get(), "the log");
        sandbox::os::write_all(1, text, "to standard output");
    }

    // Returns when the run is over, or when leave() was called.
    void follow(sandbox::os::EventLoop& loop) {
        if (!holder_) return;
        bool has_ended = false;
        loop.watch(inotify_.get(), [this] {
            char events[4096];
            while (sandbox::os::try_sys([&] { return ::read(inotify_.get(), events, sizeof events); }) > 0) {
            }
            copy();
        });
        loop.watch(holder_->pidfd.get(), [&] { has_ended = true; });
        copy();
        while (!has_ended && !has_left_) loop.run_once();
        loop.forget(holder_->pidfd.get());
        loop.forget(inotify_.get());
        copy();
    }

    void leave() { has_left_ = true; }
    [[nodiscard]] bool has_left() const { return has_left_; }

    void signal(int number) {
        if (holder_) ::syscall(SYS_pidfd_send_signal, holder_->pidfd.get(), number, nullptr, 0);
    }

  private:
    Fd log_;
    Fd inotify_;
    Holder holder_;
    bool has_left_ = false;
};

// The last ones, and then all that go on: at the end, where the eye is.
std::vector<RunState> shown_runs(const store::Store& store) {
    std::vector<RunState> past;
    std::vector<RunState> running;
    std::vector<std::string> runs = names_of(store);
    std::ranges::reverse(runs);
    for (const std::string& run : runs) {
        const Holder holder = holder_of(store, run);
        if (!holder && past.size() == most_past_runs) continue;
        std::optional<RunState> state = read_state(store, run, holder);
        if (state) (holder ? running : past).push_back(std::move(*state));
    }
    std::ranges::reverse(past);
    past.insert(past.end(), std::make_move_iterator(running.rbegin()), std::make_move_iterator(running.rend()));
    return past;
}

int exit_code_of(const store::Store& store, const std::string& run) {
    const std::optional<RunState> state = read_state(store, run);
    if (state && state->exit) return *state->exit;
    std::cerr << format("run {} was killed: it has no end\n", run);
    return 128 + SIGKILL;
}

}  // namespace

std::string named_run(const std::vector<std::string>& names, const std::string& name) {
    std::vector<std::string> alike;
    for (const std::string& run : names) {
        if (run == name) return run;
        if (run.starts_with(name)) alike.push_back(run);
    }
    if (alike.size() != 1) throw no_such_run(name, alike);
    return alike.front();
}

int show_status(const RunsOptions& options, OutputFormat how) {
    const store::Store store = open_store(options);
    if (!options.run.empty()) {
        const std::string run = named_run(names_of(store), options.run);
        const std::optional<RunState> state = read_state(store, run);
        if (!state) throw std::runtime_error(run + " never began: its pipeline was not right");
        std::cout << (how == OutputFormat::json ? to_json(*state).dump(2) + "\n" : to_text(*state));
        return 0;
    }
    const std::vector<RunState> shown = shown_runs(store);
    if (how == OutputFormat::json) {
        Json list = Json::array();
        for (const RunState& state : shown) list.push_back(to_json(state));
        std::cout << list.dump(2) << "\n";
    } else {
        for (const RunState& state : shown) std::cout << to_line(state);
        if (shown.empty()) std::cout << "no build has run in this store\n";
    }
    return 0;
}

int show_log(const RunsOptions& options, LogMode mode) {
    const store::Store store = open_store(options);
    const std::string run = options.run.empty() ? last_run(store) : named_run(names_of(store), options.run);
    Follower follower(store, run);
    follower.copy();
    if (mode == LogMode::once) return 0;
    sandbox::os::EventLoop loop;
    follower.follow(loop);
    return exit_code_of(store, run);
}

int attach(const RunsOptions& options) {
    const store::Store store = open_store(options);
    const std::string run = options.run.empty() ? running_run(store) : named_run(names_of(store), options.run);
    Follower follower(store, run);
    follower.skip_to_last(attach_lines);
    if (follower.is_running()) {
        std::cerr << format("run {}: Ctrl-C interrupts the build, Ctrl-\\ leaves it running\n", run);
    }
    sandbox::os::EventLoop loop;
    loop.take_signals({SIGINT, SIGQUIT}, [&](int number) {
        if (number == SIGINT) {
            follower.signal(SIGINT);
        } else {
            follower.leave();
        }
    });
    follower.copy();
    follower.follow(loop);
    if (follower.has_left()) return 0;
    return exit_code_of(store, run);
}

}  // namespace runtime::cli
