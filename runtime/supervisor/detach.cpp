#include "runtime/supervisor/detach.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "runtime/report/exit_codes.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/wait_status.hpp"

namespace runtime::supervisor {

using sandbox::os::Fd;
using sandbox::os::sys;

namespace {

int exit_code_of(pid_t child) {
    int status = 0;
    sys([&] { return ::waitpid(child, &status, 0); }, "wait for the build");
    return sandbox::os::WaitStatus::of_wait(status).shell_code();
}

// Not before: until then a Ctrl-C is for both.
void leave(const Fd& line, const std::string& place, report::Console& console) {
    sys([] { return ::setsid(); }, "begin a session of its own");
    console.detach();
    const std::string name = place.substr(place.rfind('/') + 1);
    sandbox::os::write_all(line.get(), name, "the run's name to who started it");
}

}  // namespace

int run_detached(const std::function<int(const Begun& begun)>& work) {
    int ends[2];
    sys([&] { return ::pipe2(ends, O_CLOEXEC); }, "make a pipe");
    Fd reader(ends[0]);
    Fd writer(ends[1]);
    const auto child = static_cast<pid_t>(sys([] { return ::fork(); }, "start a process for the build"));
    if (child == 0) {
        reader.reset();
        return work([&](const std::string& place, report::Console& console) {
            leave(writer, place, console);
            writer.reset();
        });
    }
    writer.reset();
    const std::string name = sandbox::os::read_all(reader.get(), "the run's name");
    if (name.empty()) return exit_code_of(child);
    std::printf("%s\n", name.c_str());
    std::fprintf(stderr, "the build goes on in the background: stagebox attach %s, stagebox status\n", name.c_str());
    return 0;
}

}  // namespace runtime::supervisor
