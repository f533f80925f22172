#include "runtime/host/state/processes.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "runtime/host/state/small_files.hpp"
#include "sandbox/cgroup/place.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::HostFiles;
using sandbox::os::SysError;

// Fields between blanks, each read as a number.
class Numbers {
  public:
    explicit Numbers(std::string_view text) : rest_(text) {}
    // 0 where there is none, or one that is too large; good() says so.
    template <class Number>
    Number take() {
        const std::string_view word = skip();
        Number number = 0;
        const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), number);
        const bool is_number = error == std::errc{} && stop == word.data() + word.size();
        is_good_ = is_good_ && is_number;
        return is_number ? number : Number{0};
    }
    std::string_view skip() {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
        const std::string_view word = rest_.substr(0, rest_.find(' '));
        rest_.remove_prefix(word.size());
        return word;
    }
    [[nodiscard]] bool is_good() const { return is_good_; }

  private:
    std::string_view rest_;
    bool is_good_ = true;
};

// proc_pid_stat(5): pid (comm) state ppid pgrp session tty_nr tpgid flags … starttime, which is field 22. The name may
// hold blanks and brackets, so it ends at the last one. False for a kernel thread, and for what is no such line.
bool parse_stat(std::string_view text, Process& process) {
    const std::size_t open = text.find('(');
    const std::size_t close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open || close + 4 > text.size())
        return false;
    process.comm = text.substr(open + 1, close - open - 1);
    process.state = text[close + 2];
    Numbers numbers(text.substr(close + 3));
    process.parent = numbers.take<pid_t>();
    numbers.skip();  // pgrp
    process.session = numbers.take<pid_t>();
    process.terminal = numbers.take<int>();
    numbers.skip();                                      // tpgid
    constexpr unsigned long kernel_thread = 0x00200000;  // PF_KTHREAD
    if ((numbers.take<unsigned long>() & kernel_thread) != 0) return false;
    for (int field = 10; field <= 21; ++field) numbers.skip();
    process.start = numbers.take<std::uint64_t>();
    return numbers.is_good();
}

// "user:[4026531837]"
std::uint64_t user_namespace(int proc, const std::string& pid, Buffer& buffer) {
    const long got = ::readlinkat(proc, (pid + "/ns/user").c_str(), buffer.data(), buffer.size());
    constexpr std::string_view start = "user:[";
    if (got <= 0) return 0;
    std::string_view target(buffer.data(), static_cast<std::size_t>(got));
    if (!target.starts_with(start)) return 0;
    target.remove_prefix(start.size());
    std::uint64_t inode = 0;
    std::from_chars(target.data(), target.data() + target.size(), inode);
    return inode;
}

// Version 2 comes last, behind a dozen others on some machines, and its path may be as long as a path can be.
std::string cgroup_of(int proc, const std::string& pid, Buffer& buffer) {
    const auto text = read_small(proc, pid + "/cgroup", buffer);
    if (!text) return {};
    if (text->size() + 1 < buffer.size()) return sandbox::unified_cgroup(*text);
    return sandbox::unified_cgroup(read_whole(proc, pid + "/cgroup").value_or(""));
}

std::optional<Process> read_process(int proc, const std::string& pid) {
    Process process;
    const auto [stop, error] = std::from_chars(pid.data(), pid.data() + pid.size(), process.pid);
    if (error != std::errc{} || stop != pid.data() + pid.size()) return std::nullopt;
    Buffer buffer{};
    const auto text = read_small(proc, pid + "/stat", buffer);
    if (!text || !parse_stat(*text, process)) return std::nullopt;
    // The folder belongs to the effective uid, even of a process that is not dumpable (the kernel keeps that
    // for procps); /proc/PID/status says the same at four times the cost.
    struct stat folder = {};
    if (::fstatat(proc, pid.c_str(), &folder, 0) != 0) return std::nullopt;
    process.uid = folder.st_uid;
    process.cgroup = cgroup_of(proc, pid, buffer);
    process.user_namespace = user_namespace(proc, pid, buffer);
    return process;
}

// Calls use(descriptor of /proc, pid).
template <class Use>
void for_each_process(const HostFiles& host, Use use) {
    const Folder folder = open_folder(host.proc(), ".");
    if (!folder) throw SysError(errno, "open /proc");
    while (const dirent* entry = ::readdir(folder.get())) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') use(::dirfd(folder.get()), entry->d_name);
    }
}

bool has_ended(const Process& process) {
    return process.state == 'Z' || process.state == 'X';
}

}  // namespace

std::vector<Process> read_processes(const HostFiles& host) {
    std::vector<Process> processes;
    for_each_process(host, [&](int proc, const char* pid) {
        if (auto process = read_process(proc, pid)) processes.push_back(std::move(*process));
    });
    std::sort(processes.begin(), processes.end(), [](const auto& a, const auto& b) { return a.pid < b.pid; });
    return processes;
}

std::set<std::uint64_t> user_namespaces_in_use(const HostFiles& host) {
    std::set<std::uint64_t> namespaces;
    Buffer buffer{};
    for_each_process(host, [&](int proc, const char* pid) { namespaces.insert(user_namespace(proc, pid, buffer)); });
    return namespaces;
}

const Process* find_process(const std::vector<Process>& processes, pid_t pid) {
    const auto found = std::lower_bound(processes.begin(), processes.end(), pid,
                                        [](const Process& process, pid_t wanted) { return process.pid < wanted; });
    return found != processes.end() && found->pid == pid ? &*found : nullptr;
}

Lineage::Lineage(const std::vector<Process>& processes, const Ours& ours) : processes_(processes), ours_(ours) {
    for (const Process* up = parent_of(ours.supervisor); up != nullptr && ancestors_.size() < processes.size();
         up = parent_of(up->pid)) {
        ancestors_.push_back(up->pid);
    }
}

std::string Lineage::why_ours(pid_t pid) const {
    if (pid == ours_.supervisor) return "it is the run's supervisor";
    if (is_wanted(pid)) return "it is a helper of the run's supervisor";
    const Process* process = find_process(processes_, pid);
    return process == nullptr ? std::string() : why_ours(*process);
}

std::string Lineage::why_ours(const Process& process) const {
    if (process.pid == ours_.supervisor || has_ended(process)) return {};
    bool is_in_jail = false;
    for (const auto& jail : ours_.user_namespaces) {
        is_in_jail = is_in_jail || (process.user_namespace != 0 && jail.fact == process.user_namespace);
    }
    const bool is_in_cgroup = ours_.find_cgroup(process.cgroup) != nullptr;
    // A namespace that can be seen, and is neither the host's nor one of this run's, is somebody else's jail.
    const Process* supervisor = find_process(processes_, ours_.supervisor);
    const bool is_elsewhere = process.user_namespace != 0 && !is_in_jail &&
                              (supervisor == nullptr || process.user_namespace != supervisor->user_namespace);
    const bool is_known = is_in_jail || is_in_cgroup;
    bool escaped = ours_.range_tells() && ours_.in_range(process.uid) && !is_elsewhere && !is_known;
    const Process* at = &process;
    // A parent chain is as long as the table at most; the table is not one instant, so it may hold a circle.
    for (std::size_t steps = 0; at != nullptr && steps <= processes_.size(); ++steps) {
        if (is_wanted(at->pid)) return {};
        if (at->parent == ours_.supervisor) return "it descends from the run's supervisor";
        at = find_process(processes_, at->parent);
        if (!escaped || (at != nullptr && ours_.in_range(at->uid))) continue;
        if (at == nullptr || is_ancestor(at->pid)) {
            return format("its uid {} is of the run's range and it has no parent outside it", process.uid);
        }
        escaped = false;
    }
    if (is_in_jail) return "it is in the user namespace of one of the run's jails";
    if (is_in_cgroup) return "it is in a cgroup of the run";
    return {};
}

std::string Lineage::stage_of(const Process& process) const {
    for (const auto& jail : ours_.user_namespaces) {
        if (process.user_namespace != 0 && jail.fact == process.user_namespace) return jail.stage;
    }
    const auto* const cgroup = ours_.find_cgroup(process.cgroup);
    return cgroup == nullptr ? std::string() : cgroup->stage;
}

std::string Lineage::stage_of(pid_t pid) const {
    const Process* process = find_process(processes_, pid);
    return process == nullptr ? std::string() : stage_of(*process);
}

const Process* Lineage::find_ours_in(std::string_view cgroup) const {
    const Process* supervisor = find_process(processes_, ours_.supervisor);
    // A unit that the run was started in is not its work.
    if (cgroup.empty() || (supervisor != nullptr && lies_under(supervisor->cgroup, cgroup))) return nullptr;
    const auto found = std::find_if(processes_.begin(), processes_.end(), [&](const Process& process) {
        return lies_under(process.cgroup, cgroup) && !why_ours(process).empty();
    });
    return found == processes_.end() ? nullptr : &*found;
}

Verdict Lineage::judge_other(pid_t pid) const {
    const Process* process = find_process(processes_, pid);
    if (process == nullptr) return {Owner::unknown, format("process {}, which has ended, made or held it", pid)};
    Verdict verdict = judge_other(*process);
    verdict.reason = format("process {} ({}) made or holds it: {}", pid, plain(process->comm), verdict.reason);
    return verdict;
}

Verdict Lineage::judge_other(const Process& process) const {
    if (process.uid == ours_.user || (ours_.range_tells() && ours_.in_range(process.uid))) {
        return {Owner::user, "it is the user's, and neither descends from the supervisor nor got away from it"};
    }
    return {Owner::system, "it is another user's, and neither descends from the supervisor nor got away from it"};
}

bool Lineage::is_helper(const Process& process) const {
    const Process* at = &process;
    for (std::size_t steps = 0; at != nullptr && steps <= processes_.size(); ++steps) {
        if (at->pid == ours_.supervisor || is_wanted(at->pid)) return true;
        at = find_process(processes_, at->parent);
    }
    return false;
}

bool Lineage::is_range_shared() const {
    if (!ours_.range_tells()) return false;
    return std::any_of(processes_.begin(), processes_.end(), [this](const Process& process) {
        return ours_.in_range(process.uid) && !is_helper(process) && why_ours(process).empty();
    });
}

const Process* Lineage::parent_of(pid_t pid) const {
    const Process* process = find_process(processes_, pid);
    return process == nullptr ? nullptr : find_process(processes_, process->parent);
}

bool Lineage::is_wanted(pid_t pid) const {
    return std::find(ours_.wanted.begin(), ours_.wanted.end(), pid) != ours_.wanted.end();
}

bool Lineage::is_ancestor(pid_t pid) const {
    return std::find(ancestors_.begin(), ancestors_.end(), pid) != ancestors_.end();
}

void compare_processes(const std::vector<Process>& before, const std::vector<Process>& after, const Ours& ours,
                       std::vector<Difference>& differences) {
    const Lineage lineage(after, ours);
    const auto same = [](const std::vector<Process>& processes, const Process& process) {
        const Process* found = find_process(processes, process.pid);
        return found != nullptr && found->start == process.start ? found : nullptr;
    };
    const auto describe = [](const Process& process) {
        return format("process {} ({}, uid {}, parent {})", process.pid, plain(process.comm), process.uid,
                      process.parent);
    };
    const auto add = [&](const Process& process, const char* change, Verdict verdict, std::string stage = {}) {
        differences.push_back(
            {Kind::process, describe(process), change, verdict.whose, std::move(verdict.reason), std::move(stage)});
    };
    for (const Process& process : after) {
        if (process.pid == ours.supervisor || has_ended(process)) continue;
        const Process* was = same(before, process);
        if (was == nullptr) {
            std::string why = lineage.why_ours(process);
            if (!why.empty()) {
                add(process, "left", {Owner::ours, std::move(why)}, lineage.stage_of(process));
            } else if (!lineage.is_helper(process)) {
                const bool is_declared = ours.declares_cgroup(process.cgroup);
                add(process, "started", is_declared ? declared_verdict() : lineage.judge_other(process));
            }
        } else if (was->cgroup != process.cgroup && !was->cgroup.empty() && !process.cgroup.empty()) {
            add(process, "moved to another cgroup", lineage.judge_other(process));
        } else if (was->session != process.session) {
            add(process, "began a session", lineage.judge_other(process));
        }
    }
    for (const Process& process : before) {
        if (has_ended(process) || same(after, process) != nullptr) continue;
        Verdict verdict = lineage.judge_other(process);
        verdict.reason = "it was there before the run, which ends no process but its own";
        add(process, "ended", std::move(verdict));
    }
}

}  // namespace runtime::host
