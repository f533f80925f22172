#include "runtime/cli/run/bwrap.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "runtime/cli/run/help.hpp"
#include "runtime/cli/run/jail_status.hpp"
#include "runtime/cli/run/options.hpp"
#include "runtime/report/exit_codes.hpp"
#include "sandbox/bubblewrap/child.hpp"
#include "sandbox/bubblewrap/launch.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/startup.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::cli {

using report::ExitCode;
using sandbox::os::format;

namespace {

void say(const RunRequest& request, int level, const std::string& text) {
    const std::string prefix = request.has_level_prefix ? format("<{}>", level) : "";
    std::fprintf(stderr, "%sbwrap: %s\n", prefix.c_str(), text.c_str());
}

// Which step failed, in the words that scripts look for; empty where there are none.
class StepWords {
  public:
    StepWords(const sandbox::Plan& plan, int error) : plan_(plan), error_(error) {}

    template <class Kind>
    std::string operator()(const Kind& /*one*/) const {
        return {};
    }
    std::string operator()(const sandbox::step::AttachTree& one) const {
        return error_ == EROFS || error_ == EACCES ? make_directory(one.place) : "";
    }
    std::string operator()(const sandbox::step::MountTmpfs& one) const { return mount("tmpfs", one.place); }
    std::string operator()(const sandbox::step::MountProc& one) const { return mount("proc", one.place); }
    std::string operator()(const sandbox::step::MountMqueue& one) const { return mount("mqueue", one.place); }
    std::string operator()(const sandbox::step::MakeDirectory& one) const { return make_directory(one.place); }
    std::string operator()(const sandbox::step::WriteFile& one) const {
        return format("Can't {} {}", error_ == ENOTDIR ? "mkdir parents for" : "create file", path(one.place));
    }
    std::string operator()(const sandbox::step::MakeLink& one) const {
        return format("Can't make symlink at {}", path(one.place));
    }
    std::string operator()(const sandbox::step::ChangeMode& one) const {
        return format("Can't chmod {:#o} {}", one.mode, plan_.text(one.path));
    }
    std::string operator()(const sandbox::step::SetReadOnly& one) const {
        return format("Can't remount readonly on {}", plan_.text(one.path));
    }

  private:
    [[nodiscard]] const char* path(const sandbox::Place& place) const { return plan_.text(place.path); }
    [[nodiscard]] std::string make_directory(const sandbox::Place& place) const {
        return format("Can't mkdir {}", path(place));
    }
    // "mount proc on /newroot/proc": as it is called there.
    [[nodiscard]] std::string mount(const char* type, const sandbox::Place& place) const {
        if (error_ != EPERM) return make_directory(place);
        return format("Can't mount {} on /newroot{}", type, path(place));
    }

    const sandbox::Plan& plan_;
    int error_;
};

std::string words_of(const sandbox::SetupError& error, const sandbox::BubblewrapPlan& plan,
                     const sandbox::Command& command) {
    const char* why = std::strerror(error.error);
    const std::string& program = command.program.empty() ? command.argv.front() : command.program;
    if (error.point == sandbox::Point::execute) return format("execvp {}: {}", program, why);
    if (error.point == sandbox::Point::working_directory) {
        return format("Can't chdir to {}: {}", plan.terms.directories.front(), why);
    }
    if (error.point == sandbox::Point::step && error.index < plan.steps.size()) {
        const std::string words = plan.steps[error.index].visit(StepWords(plan, error.error));
        if (!words.empty()) return format("{}: {}", words, why);
    }
    return sandbox::to_string(error);
}

// Those of the caller's that the command inherits: above the standard streams, and not closed by exec.
std::vector<int> inherited_descriptors() {
    std::vector<int> all;
    for (const std::string& name :
         sandbox::os::list_directory(sandbox::os::open_directory(AT_FDCWD, "/proc/self/fd").get())) {
        const int fd = std::stoi(name);
        const int flags = ::fcntl(fd, F_GETFD);
        if (fd > 2 && flags >= 0 && (flags & FD_CLOEXEC) == 0) all.push_back(fd);
    }
    return all;
}

void check_descriptors(const std::vector<int>& inherited) {
    for (const int fd : inherited) {
        if (fd < sandbox::first_private_fd) continue;
        throw std::invalid_argument(
            format("descriptor {} cannot be inherited: those from {} on are needed to build the "
                   "jail; close it, or give it a lower number",
                   fd, sandbox::first_private_fd));
    }
}

void tell_about(const RunRequest& request, const sandbox::Plan& plan, pid_t pid) {
    // What the command is given to wait for is said before it is waited for.
    if (request.info_fd >= 0) {
        write_jail_info(request.info_fd, pid, plan.clone_flags);
        ::close(request.info_fd);
    }
    if (request.json_status_fd >= 0) write_jail_status(request.json_status_fd, pid, plan.clone_flags);
    if (request.userns_block_fd < 0) return;
    char byte = 0;
    static_cast<void>(sandbox::os::try_sys([&] { return ::read(request.userns_block_fd, &byte, 1); }));
    ::close(request.userns_block_fd);
}

int start_and_wait(const RunRequest& request) {
    const std::vector<int> inherited = inherited_descriptors();
    check_descriptors(inherited);
    if (request.bubblewrap_spec().terms.dies_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    const sandbox::BubblewrapPlan plan = sandbox::make_plan(request.bubblewrap_spec(), request.command);
    auto launched = sandbox::launch_bubblewrap(plan, [&](pid_t pid) { tell_about(request, plan, pid); });
    if (const auto* error = std::get_if<sandbox::SetupError>(&launched)) {
        say(request, LOG_ERR, words_of(*error, plan, request.command));
        return ExitCode::bwrap_failed;
    }
    // They are the jail's now; who waits for the end of one must not wait for us.
    for (const int fd : inherited) ::close(fd);
    const int code = std::get<sandbox::BubblewrapJail>(launched).wait().shell_code();
    if (request.json_status_fd >= 0) write_exit_status(request.json_status_fd, code);
    return code;
}

int answer(const RunRequest& request) {
    for (const std::string& warning : request.warnings) say(request, LOG_WARNING, warning);
    if (request.wants == Wants::help) {
        std::fputs(bwrap_help().c_str(), stdout);
        return ExitCode::done;
    }
    if (request.wants == Wants::version) {
        std::fputs("bubblewrap 0.11.0\n", stdout);
        return ExitCode::done;
    }
    if (request.command.argv.empty()) {
        std::fputs(bwrap_help().c_str(), stderr);
        return ExitCode::bwrap_failed;
    }
    return start_and_wait(request);
}

}  // namespace

bool is_bwrap(const std::string& program) {
    return program.substr(program.rfind('/') + 1) == "bwrap";
}

int bwrap(const std::vector<std::string>& arguments) {
    RunRequest request;
    try {
        sandbox::os::open_closed_streams();
        request = parse_run(arguments, Contract::bubblewrap);
        return answer(request);
    } catch (const std::exception& error) {
        // Of a command line that is wrong, only the option that comes first could have asked for levels.
        request.has_level_prefix = !arguments.empty() && arguments.front() == "--level-prefix";
        say(request, LOG_ERR, error.what());
        return ExitCode::bwrap_failed;
    }
}

}  // namespace runtime::cli
