// The host's processes at one moment, and which of them are of this run.
#pragma once
#include <set>

#include "runtime/host/state/difference.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

struct Process {
    pid_t pid = 0;
    pid_t parent = 0;
    std::uint32_t uid = 0;    // effective
    char state = '?';         // proc_pid_stat(5); Z is a process that has ended and waits for its parent
    int terminal = 0;         // device number of the controlling terminal; 0: none
    std::uint64_t start = 0;  // clock ticks after boot; pid and start together name a process for good
    std::string comm = {};
    pid_t session = 0;                 // setsid(2)
    std::string cgroup = {};           // of the unified hierarchy
    std::uint64_t user_namespace = 0;  // inode; 0: not ours to see
};

// All, by pid. A process that ends while it is read is left out; so are the kernel's own threads. Throws SysError.
[[nodiscard]] std::vector<Process> read_processes(const sandbox::os::HostFiles& host);

// The user namespaces that somebody is in, by inode, as far as they are ours to see. Throws SysError.
[[nodiscard]] std::set<std::uint64_t> user_namespaces_in_use(const sandbox::os::HostFiles& host);

// Null if there is none; `processes` ordered by pid.
[[nodiscard]] const Process* find_process(const std::vector<Process>& processes, pid_t pid);

// Who descends from whom at the second moment. Ours is a process that
//   descends from the supervisor; or
//   is in a user namespace or a cgroup of one of this run's jails; or
//   has a uid of our range, and its nearest ancestor outside the range is one of the supervisor's ancestors: that is
//   where the kernel would hang a process that had got away. (A uid of the range alone is no proof: other runs and
//   containers of the same user have the same range, but a parent of their own. One whose user namespace can be seen,
//   and is none of ours, is theirs.)
// Processes that have ended and were only not reaped yet are nobody's.
class Lineage {
  public:
    Lineage(const std::vector<Process>& processes, const Ours& ours);
    // Empty: not ours.
    [[nodiscard]] std::string why_ours(pid_t pid) const;
    [[nodiscard]] std::string why_ours(const Process& process) const;
    // The stage by what its jail is known by; empty: nothing tells.
    [[nodiscard]] std::string stage_of(const Process& process) const;
    [[nodiscard]] std::string stage_of(pid_t pid) const;
    // A process of ours in this cgroup, or below it; null: none, or the supervisor itself is there.
    [[nodiscard]] const Process* find_ours_in(std::string_view cgroup) const;
    // The supervisor, one that it wants, or a child of such.
    [[nodiscard]] bool is_helper(const Process& process) const;
    // Of one that is not ours.
    [[nodiscard]] Verdict judge_other(pid_t pid) const;
    [[nodiscard]] Verdict judge_other(const Process& process) const;
    // Somebody else has ids of our range: containers of the same user, another build.
    [[nodiscard]] bool is_range_shared() const;

  private:
    [[nodiscard]] const Process* parent_of(pid_t pid) const;
    [[nodiscard]] bool is_wanted(pid_t pid) const;
    [[nodiscard]] bool is_ancestor(pid_t pid) const;

    const std::vector<Process>& processes_;
    const Ours& ours_;
    std::vector<pid_t> ancestors_;  // of the supervisor
};

void compare_processes(const std::vector<Process>& before, const std::vector<Process>& after, const Ours& ours,
                       std::vector<Difference>& differences);

}  // namespace runtime::host
