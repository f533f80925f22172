#include "runtime/engine/input_digest.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "runtime/store/helper.hpp"
#include "runtime/store/helper_work.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::engine {

using sandbox::os::Fd;
using sandbox::os::Json;
using sandbox::os::sys;

namespace {

// One write(2) into a pipe is whole up to this size (PIPE_BUF).
constexpr std::size_t longest_answer = 4096;
constexpr std::size_t longest_error = 1000;

store::TreeFacts digest_here(const std::string& directory, const std::string& path) {
    const Fd top = sandbox::os::open_directory(AT_FDCWD, directory);
    return store::digest_import(top.get(), path);
}

std::string bounded(std::string_view text) {
    return sandbox::os::shortened(text, longest_error);
}

Json answer_to(const std::string& directory, const std::string& path) {
    try {
        return store::to_json(digest_here(directory, path));
    } catch (const sandbox::os::SysError& error) {
        return {{"errno", error.error()}, {"doing", bounded(error.doing())}};
    } catch (const std::exception& error) {
        return {{"error", bounded(error.what())}};
    }
}

[[noreturn]] void work(pid_t parent, int line, const std::string& directory, const std::string& path) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const std::string text = answer_to(directory, path).dump(-1, ' ', false, Json::error_handler_t::replace);
    static_cast<void>(::write(line, text.data(), text.size()));
    ::_exit(0);
}

// Until the line can be read. Throws Interrupted.
void wait_for(int line, const sigset_t& ending, const std::string& path) {
    const Fd signals(sys([&] { return ::signalfd(-1, &ending, SFD_CLOEXEC); }, "wait for signals"));
    pollfd waiting[2] = {{line, POLLIN, 0}, {signals.get(), POLLIN, 0}};
    sys([&] { return ::poll(waiting, 2, -1); }, "wait for the digest of {}", path);
    if (waiting[1].revents != 0) throw Interrupted("interrupted while " + path + " was read");
}

store::TreeFacts facts_in(const std::string& text, const std::string& path) {
    const Json answer = Json::parse(text.empty() ? "{}" : text);
    if (answer.contains("errno")) {
        throw sandbox::os::SysError(answer.at("errno").get<int>(), answer.at("doing").get<std::string>());
    }
    if (answer.contains("error")) throw store::TreeError(answer.at("error").get<std::string>());
    if (answer.empty()) throw store::TreeError("the process that read " + path + " was ended");
    return store::facts_of(answer);
}

}  // namespace

store::TreeFacts digest_input(const std::string& directory, const std::string& path, const sigset_t* ending) {
    if (ending == nullptr) return digest_here(directory, path);
    int ends[2];
    sys([&] { return ::pipe2(ends, O_CLOEXEC); }, "make a pipe");
    const Fd reader(ends[0]);
    Fd writer(ends[1]);
    const pid_t parent = ::getpid();
    const pid_t pid = sys([] { return ::fork(); }, "start a process that reads {}", path);
    if (pid == 0) work(parent, writer.get(), directory, path);
    const sandbox::os::Child child(pid, Fd());  // killed and reaped at the end, however that comes
    writer.reset();
    wait_for(reader.get(), *ending, path);
    std::string text(longest_answer, '\0');
    const long got = sys([&] { return ::read(reader.get(), text.data(), text.size()); }, "read the digest of {}", path);
    text.resize(static_cast<std::size_t>(got));
    return facts_in(text, path);
}

}  // namespace runtime::engine
