#include "runtime/cli/run/run.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/run/help.hpp"
#include "runtime/cli/run/jail_status.hpp"
#include "runtime/cli/run/report.hpp"
#include "runtime/cli/run/root.hpp"
#include "runtime/jail/foreground.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/caps.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/profile/permissions.hpp"
#include "sandbox/profile/profile.hpp"

namespace runtime::cli {

using sandbox::os::Fd;
using sandbox::os::format;

namespace {

// Microseconds since the clock's start.
std::int64_t now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

// Where the time of a run goes: each phase lasts until it is marked.
class Timings {
  public:
    void mark(const char* phase) {
        const std::int64_t moment = now();
        phases_.emplace_back(phase, moment - last_);
        last_ = moment;
    }
    void print() const {
        std::string text;
        for (const auto& [phase, duration] : phases_) text += format("{:>9} us  {}\n", duration, phase);
        std::fputs(text.c_str(), stderr);
    }

  private:
    std::int64_t last_ = now();
    std::vector<std::pair<const char*, std::int64_t>> phases_;
};

// Without a terminal of the jail's own, output does not pass through here: it is the caller's own.
void check_limits(const sandbox::Limits& limits) {
    if (limits.idle) {
        throw std::runtime_error(
            "the limit idle cannot be kept here: the command writes to the caller's own output, which "
            "nobody watches; leave it out of the profile, or run the command as a stage");
    }
}

// Whether anything waits for the jail, or is told of it, before its first step.
bool is_told_of_start(const RunRequest& request) {
    return request.info_fd >= 0 || request.json_status_fd >= 0 || request.block_fd >= 0 || !request.report.empty();
}

void before_start(const RunRequest& request, const sandbox::BuildPlan& plan, pid_t pid) {
    if (request.info_fd >= 0) {
        write_jail_info(request.info_fd, pid, plan.clone_flags);
        ::close(request.info_fd);
    }
    if (request.json_status_fd >= 0) write_jail_status(request.json_status_fd, pid, plan.clone_flags);
    if (request.block_fd < 0) return;
    char byte = 0;
    static_cast<void>(sandbox::os::try_sys([&] { return ::read(request.block_fd, &byte, 1); }));
    ::close(request.block_fd);
}

void write_report(const RunRequest& request, const sandbox::os::Json& report) {
    const std::string text = report.dump(2, ' ', false, sandbox::os::Json::error_handler_t::replace) + "\n";
    const Fd file(
        sandbox::os::sys([&] { return ::open(request.report.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); },
                         "open {}", request.report));
    sandbox::os::write_all(file.get(), text, request.report);
}

int start(RunRequest& request, Timings& timings) {
    bool has_started = false;
    sandbox::os::Json report;
    jail::Follower follower;
    follower.when_cloned = [&] { timings.mark("plan, namespaces and id maps"); };
    if (is_told_of_start(request)) {
        follower.before_start = [&](const sandbox::BuildPlan& plan, pid_t pid) {
            before_start(request, plan, pid);
            if (!request.report.empty()) report = report_of(request, plan);
        };
    }
    follower.started = [&] {
        timings.mark("root, fences and exec");
        has_started = true;
    };
    jail::Hearing hearing;
    if (!request.report.empty()) {
        hearing.at_end = [&](const jail::DenialLog& log) { report["denials"] = jail::to_json(log); };
    }
    const int code = request.has_terminal ? run_on_terminal(request.build_spec(), request.command, follower)
                                          : run_in_foreground(request.build_spec(), request.command, hearing, follower);
    timings.mark("command");
    if (has_started && request.json_status_fd >= 0) write_exit_status(request.json_status_fd, code);
    if (has_started && !request.report.empty()) {
        report["exit"] = code;
        write_report(request, report);
    }
    return code;
}

// The command's own exit code, 128+N for signal N, 126/127 where it cannot be executed, 125 where there was no jail.
int run(const std::vector<std::string>& arguments) {
    Timings timings;
    RunRequest request = parse_run(arguments);
    if (request.wants == Wants::help) {
        std::fputs(run_help().c_str(), stdout);
        return ExitCode::done;
    }
    if (request.wants == Wants::version) {
        std::puts(STAGEBOX_VERSION);
        return ExitCode::done;
    }
    for (const std::string& warning : request.warnings) std::fprintf(stderr, "stagebox: %s\n", warning.c_str());
    timings.mark("options");
    prepare_run(request);
    timings.mark("profile");
    request.build_spec().ids = sandbox::resolve_idmap(request.ids).map;
    timings.mark("ids");
    std::optional<RunRoot> root;
    if (!request.root.empty()) {
        root.emplace(request);
        timings.mark("root");
    }
    const int code = start(request, timings);
    if (request.has_timings) timings.print();
    return code;
}

}  // namespace

void prepare_run(RunRequest& request) {
    sandbox::BuildSpec& spec = request.build_spec();
    const sandbox::Profile profile = sandbox::load_profile(request.profile);
    for (const std::string& note : profile.notes) std::fprintf(stderr, "stagebox: %s\n", note.c_str());
    sandbox::apply_profile(profile, spec);
    sandbox::check_permissions(spec, request.profile);
    check_limits(spec.limits);
    std::uint64_t& capabilities = spec.allow.capabilities;
    capabilities =
        ((capabilities | request.added_capabilities) & ~request.dropped_capabilities) & sandbox::known_capabilities();
    spec.allow.more_filters = request.filters;
    spec.denials = sandbox::Denials::reported;
    if (!request.hostname.empty()) spec.hostname = request.hostname;
    request.command.stdin_fd = 0;
    request.command.stdout_fd = 1;
    request.command.stderr_fd = 2;
    const char* term = std::getenv("TERM");
    if (request.has_terminal && term != nullptr) request.command.env.emplace_back("TERM", term);
}

Command run_command() {
    return {.name = "run",
            .doc = "One command in a jail (stagebox run --help)",
            .how = OwnReader{.run = run, .help = run_help},
            .codes = {.wrong_input = ExitCode::jail_not_built, .cannot_run = ExitCode::jail_not_built}};
}

}  // namespace runtime::cli
