// Where the cgroups of a run's jails are: the first of these that can be used.
//   - the directory in $STAGEBOX_CGROUP, and then no other;
//   - the cgroup that this process is in, where it was left to it (systemd's Delegate=yes, a container's own hierarchy)
//     and no other process needs it;
//   - a scope that systemd makes for it (cgroup/scope.hpp).
// Nothing stays behind: what a crash left, the kernel has emptied and systemd or the next run removes. Knows nothing of
// what the jails are for.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/cgroup/cgroup.hpp"
#include "sandbox/cgroup/scope.hpp"
#include "sandbox/os/host_files.hpp"
#include "sandbox/os/problem.hpp"

namespace sandbox {

// There is none that can be used.
class CgroupMissing : public os::Error {
  public:
    CgroupMissing(const std::string& what, std::string remedy) : Error(os::Problem{what, std::move(remedy)}) {}
};

enum class Controller : std::uint8_t { memory, pids, cpu, io };

class CgroupTree {
  public:
    // Throws CgroupMissing. The process must have one thread.
    explicit CgroupTree(const os::HostFiles& host = {});
    // Each of its cgroups must be gone before.
    ~CgroupTree();
    CgroupTree(const CgroupTree&) = delete;
    CgroupTree& operator=(const CgroupTree&) = delete;

    [[nodiscard]] bool has(Controller controller) const;
    // "the scope stagebox-71-9c3f.scope of the user's systemd", "the cgroup /ci/job-3".
    [[nodiscard]] const std::string& words() const noexcept { return words_; }
    // What of the limits has no controller here, by name, with what would give it one.
    struct Lacking {
        std::vector<std::string_view> limits;
        std::string remedy;
    };
    [[nodiscard]] Lacking lacking(const Limits& limits) const;
    // A new one, with those of the limits in force that do not lack a controller. Throws SysError.
    [[nodiscard]] Cgroup make(const std::string& name, const Limits& limits) const;

  private:
    void use_given(const os::HostFiles& host, const std::string& path);
    bool use_own(const os::HostFiles& host, std::string& why_not);
    bool use_scope(const os::HostFiles& host, std::string& why_not);
    void enable(const os::HostFiles& host);
    bool make_room(const os::HostFiles& host);
    void make_branch(int parent);
    void leave_branch() noexcept;
    void enter(const Cgroup& cgroup, pid_t process) const;

    std::string words_;
    os::Fd parent_;        // of the branch
    std::string branch_;   // a directory of this process's, removed at the end; empty: there is none
    os::Fd root_;          // the jails' cgroups are made in it
    std::string enabled_;  // controllers that were switched on in the parent, and will be switched off
    Cgroup::Birth birth_ = Cgroup::Birth::possible;
    bool has_moved_ = false;  // this process is in the branch
    std::string own_place_;
    std::string controllers_;
    std::unique_ptr<SystemdScope> scope_;
};

}  // namespace sandbox
