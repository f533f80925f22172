#include "runtime/host/unmount/session_processes.hpp"

namespace runtime::host {
namespace {

// "/user.slice/user-1000.slice/session-3.scope" -> "/user.slice/user-1000.slice"
std::string user_slice(const std::string& cgroup) {
    constexpr std::string_view start = "/user.slice/";
    if (!cgroup.starts_with(start)) return {};
    return cgroup.substr(0, cgroup.find('/', start.size()));
}

}  // namespace

SessionProcesses::SessionProcesses(const std::vector<Process>& processes, pid_t caller, std::string directory)
    : processes_(processes), directory_(std::move(directory)) {
    const Process* at = find_process(processes, caller);
    if (at != nullptr) slice_ = user_slice(at->cgroup);
    // The table is not one instant, so it may hold a circle.
    for (; at != nullptr && ancestors_.insert(at->pid).second; at = find_process(processes, at->parent)) {
        // 0: its leader is outside of this PID namespace, as others' may be.
        if (at->session != 0) sessions_.insert(at->session);
    }
}

bool SessionProcesses::contains(const Hold& hold) const {
    if (ancestors_.contains(hold.pid)) return true;
    const Process* process = find_process(processes_, hold.pid);
    if (process == nullptr) return false;
    const bool is_left = process->terminal == 0 && hold.root != "/" && lies_under(hold.root, directory_);
    if (is_left) return false;
    return sessions_.contains(process->session) || (!slice_.empty() && lies_under(process->cgroup, slice_));
}

}  // namespace runtime::host
