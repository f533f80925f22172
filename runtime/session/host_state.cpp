#include "runtime/session/host_state.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::session {
namespace {

using sandbox::os::Fd;
using sandbox::os::SysError;

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

// Null if there is no such folder.
Folder open_folder(const char* path) {
    Folder folder(::opendir(path), ::closedir);  // close-on-exec, opendir(3)
    if (!folder && errno != ENOENT) throw SysError(errno, std::string("open ") + path);
    return folder;
}

// A small file of proc or sysfs, which gives its text in one read; nothing if it is gone or closed to us.
std::optional<std::string_view> read_small(int folder, const char* path, std::array<char, 4096>& buffer) {
    const long opened = sandbox::os::try_sys([&] { return ::openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOCTTY); });
    if (opened < 0) return std::nullopt;
    const Fd file(static_cast<int>(opened));
    const long got = sandbox::os::try_sys([&] { return ::read(file.get(), buffer.data(), buffer.size()); });
    if (got <= 0) return std::nullopt;
    return std::string_view(buffer.data(), static_cast<std::size_t>(got));
}

// The next word of `text` as a number; 0 if it is none.
template <class Number>
Number take_number(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    Number number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(std::min(text.find(' '), text.size()));
    return error == std::errc{} ? number : Number{0};
}

// proc_pid_stat(5): pid (comm) state ppid pgrp session tty_nr … starttime, which is field 22. The name may
// hold blanks and brackets, so it ends at the last one. False for a kernel thread.
bool parse_stat(std::string_view text, Process& process) {
    const std::size_t open = text.find('(');
    const std::size_t close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close + 4 > text.size()) return false;
    process.comm = text.substr(open + 1, close - open - 1);
    process.state = text[close + 2];
    text.remove_prefix(close + 3);
    process.parent = take_number<pid_t>(text);
    take_number<int>(text);  // pgrp
    take_number<int>(text);  // session
    process.terminal = take_number<int>(text);
    for (int field = 8; field <= 21; ++field) take_number<std::int64_t>(text);
    process.start = take_number<std::uint64_t>(text);
    return true;
}

std::optional<Process> read_process(int proc, const std::string& pid) {
    Process process;
    std::from_chars(pid.data(), pid.data() + pid.size(), process.pid);
    std::array<char, 4096> buffer{};
    const auto text = read_small(proc, (pid + "/stat").c_str(), buffer);
    if (!text || !parse_stat(*text, process)) return std::nullopt;
    // The folder belongs to the effective uid, even of a process that is not dumpable (the kernel keeps that
    // for procps); /proc/PID/status says the same at four times the cost.
    struct stat folder = {};
    if (::fstatat(proc, pid.c_str(), &folder, 0) != 0) return std::nullopt;
    process.uid = folder.st_uid;
    return process;
}

}  // namespace

std::vector<LoopDevice> read_loops() {
    std::vector<LoopDevice> loops;
    const Folder folder = open_folder("/sys/block");
    if (!folder) return loops;
    std::array<char, 4096> buffer{};
    while (const dirent* entry = ::readdir(folder.get())) {
        if (std::strncmp(entry->d_name, "loop", 4) != 0) continue;
        // The file exists only while something is attached.
        const std::string path = std::string(entry->d_name) + "/loop/backing_file";
        auto text = read_small(::dirfd(folder.get()), path.c_str(), buffer);
        if (!text) continue;
        constexpr std::string_view mark = " (deleted)";
        if (text->ends_with('\n')) text->remove_suffix(1);
        const bool deleted = text->ends_with(mark);
        if (deleted) text->remove_suffix(mark.size());
        loops.push_back({entry->d_name, std::string(*text), deleted});
    }
    std::sort(loops.begin(), loops.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return loops;
}

std::vector<Process> read_processes() {
    const Folder folder = open_folder("/proc");
    if (!folder) throw SysError(ENOENT, "open /proc");
    std::vector<Process> processes;
    while (const dirent* entry = ::readdir(folder.get())) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        if (auto process = read_process(::dirfd(folder.get()), entry->d_name)) {
            processes.push_back(std::move(*process));
        }
    }
    std::sort(processes.begin(), processes.end(), [](const auto& a, const auto& b) { return a.pid < b.pid; });
    return processes;
}

HostState observe() {
    return {sandbox::os::read_mounts(), read_loops(), read_processes()};
}

const Process* find_process(const std::vector<Process>& processes, pid_t pid) {
    const auto found = std::lower_bound(processes.begin(), processes.end(), pid,
                                        [](const Process& process, pid_t wanted) { return process.pid < wanted; });
    return found != processes.end() && found->pid == pid ? &*found : nullptr;
}

}  // namespace runtime::session
