#include "runtime/script/parser.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "sandbox/os/files.hpp"
#include "sandbox/os/memory_file.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/os/sys.hpp"
#include "stages/script/syntax.hpp"

namespace runtime::script {

using sandbox::os::Child;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::Json;
using sandbox::os::sys;
using sandbox::os::SysError;
using stages::script::SyntaxFault;

namespace {

constexpr const char* parser_remedy = "sudo apt-get install shfmt";

// Only where packages put it, never by PATH.
const char* find_parser() {
    constexpr const char* program = "/usr/bin/shfmt";
    return ::access(program, X_OK) == 0 ? program : nullptr;
}

struct Answer {
    std::string tree;
    std::string complaint;
};

Child start(const char* program, const char* dialect, const Fd& in, const Fd& out, const Fd& complaints) {
    std::string language = format("-ln={}", dialect);
    std::string name = program;
    std::string to_json = "--to-json";
    char* const argv[] = {name.data(), language.data(), to_json.data(), nullptr};
    char path[] = "PATH=/usr/bin:/bin";
    char* const environment[] = {path, nullptr};
    const pid_t parent = ::getpid();
    int pidfd = -1;
    const long pid = sandbox::os::clone_process(0, pidfd);
    if (pid < 0) throw SysError(static_cast<int>(-pid), format("start {}", program));
    if (pid == 0) {
        // Only system calls from here: the program may hold locks that this copy of it can never release.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(126);
        ::dup2(in.get(), 0);
        ::dup2(out.get(), 1);
        ::dup2(complaints.get(), 2);
        ::execve(program, argv, environment);
        ::_exit(127);
    }
    return Child(static_cast<pid_t>(pid), Fd(pidfd));
}

// Files in memory instead of pipes: neither side waits for the other, whatever the size.
Answer ask(const char* program, const char* dialect, std::string_view text) {
    const Fd in = sandbox::os::new_memory_file("script");
    const Fd out = sandbox::os::new_memory_file("tree");
    const Fd complaints = sandbox::os::new_memory_file("complaints");
    sandbox::os::write_all(in.get(), text, "a script for shfmt");
    sys([&] { return ::lseek(in.get(), 0, SEEK_SET); }, "go back in a file in memory");
    const sandbox::os::WaitStatus how = start(program, dialect, in, out, complaints).wait().how;
    Answer answer{sandbox::os::content_of(out), sandbox::os::content_of(complaints)};
    if (!how.has_exited(0)) answer.tree.clear();
    if (answer.tree.empty() && answer.complaint.empty()) answer.complaint = "1:1: shfmt gave no answer";
    return answer;
}

unsigned take_number(std::string_view& text) {
    unsigned number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return 0;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    if (text.starts_with(':')) text.remove_prefix(1);
    return number;
}

// "<standard input>:3:7: reached EOF without closing quote"
SyntaxFault fault_of(std::string_view complaint) {
    complaint = complaint.substr(0, complaint.find('\n'));
    constexpr std::string_view name = "<standard input>:";
    if (complaint.starts_with(name)) complaint.remove_prefix(name.size());
    const unsigned line = take_number(complaint);
    const unsigned column = take_number(complaint);
    if (complaint.starts_with(' ')) complaint.remove_prefix(1);
    return {{line == 0 ? 1 : line, column == 0 ? 1 : column}, std::string(complaint)};
}

}  // namespace

bool has_parser() {
    return find_parser() != nullptr;
}

sandbox::Finding probe_parser() {
    constexpr const char* name = "shell scripts";
    const char* program = find_parser();
    if (program == nullptr) {
        return {name, sandbox::Status::limited,
                "shfmt is not in /usr/bin: `stagebox import` reads no script, and `stagebox check` looks into none",
                parser_remedy};
    }
    return {name, sandbox::Status::ok, format("{} reads them, for import and check", program), {}};
}

Json parse(std::string_view text) {
    const char* program = find_parser();
    if (program == nullptr) {
        throw ParserMissing(
            sandbox::os::Problem{"shfmt is not in /usr/bin, and scripts are read with it", parser_remedy});
    }
    // Nearly every script is one of bash's; the few that are not may still be POSIX's.
    const Answer answer = ask(program, "bash", text);
    if (!answer.tree.empty()) return Json::parse(answer.tree);
    const Answer posix = ask(program, "posix", text);
    if (!posix.tree.empty()) return Json::parse(posix.tree);
    throw fault_of(answer.complaint);
}

}  // namespace runtime::script
