#include "sandbox/cgroup/tree.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>

#include "sandbox/cgroup/place.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox {
namespace {

using os::Fd;
using os::format;

struct ControllerName {
    Controller controller;
    const char* name;
};
constexpr std::array<ControllerName, 4> all_controllers = {
    {{Controller::memory, "memory"}, {Controller::pids, "pids"}, {Controller::cpu, "cpu"}, {Controller::io, "io"}}};
constexpr const char* delegate_words = "systemd-run --user --scope -p Delegate=yes -- stagebox ...";

bool has_any_of_ours(const std::string& controllers) {
    return std::ranges::any_of(all_controllers,
                               [&](const ControllerName& one) { return has_word(controllers, one.name); });
}

std::string find_mount() {
    std::string mount = find_cgroup_mount([](const char* path) {
        struct statfs system = {};
        return ::statfs(path, &system) == 0 ? static_cast<long>(system.f_type) : 0;
    });
    if (!mount.empty()) return mount;
    throw CgroupMissing("this machine has no cgroups of version 2 at /sys/fs/cgroup",
                        "start Linux with systemd.unified_cgroup_hierarchy=1; in a container: mount them");
}

// A hierarchy can be there and have nothing to limit with: version 1 has taken it, or a container was not given it.
void refuse_empty(const std::string& mount) {
    if (has_any_of_ours(os::read_file_if_exists(AT_FDCWD, mount + "/cgroup.controllers").value_or(""))) return;
    throw CgroupMissing(
        format("the cgroups of version 2 at {} have no controllers of memory, pids, CPU and disks", mount),
        "start Linux with systemd.unified_cgroup_hierarchy=1, which leaves none to version 1; or give the "
        "container a hierarchy with some");
}

// systemd marks what it leaves to others; that of users does so since version 254. Where no systemd is, who owns a
// directory may use it.
bool is_left_to_us(const os::HostFiles& host, const std::string& path, const std::string& place) {
    char mark[2] = {};
    for (const char* name : {"user.delegate", "trusted.delegate"}) {
        if (::getxattr(path.c_str(), name, mark, sizeof mark) == 1 && mark[0] == '1') return true;
    }
    if (place == "/") return true;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || status.st_uid != ::geteuid()) return false;
    if (!is_under_systemd(host)) return true;
    return ::geteuid() != 0 && is_unit_delegated(os::BusKind::user);
}

// Jails in a scope elsewhere would leave them.
std::string own_limits(const std::string& path) {
    const long opened = os::try_sys([&] { return ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); });
    if (opened < 0) return {};
    const Fd directory(static_cast<int>(opened));
    for (const char* name : {"memory.max", "memory.high", "cpu.max"}) {
        const auto text = read_cgroup_file(directory.get(), name);
        if (text && !text->starts_with("max")) return name;
    }
    return {};
}

std::vector<pid_t> processes_in(int directory) {
    std::vector<pid_t> pids;
    std::istringstream stream(read_cgroup_file(directory, "cgroup.procs").value_or(""));
    for (pid_t pid = 0; stream >> pid;) pids.push_back(pid);
    return pids;
}

bool is_ours(const os::HostFiles& host, pid_t process) {
    const pid_t self = ::getpid();
    for (int depth = 0; process > 1 && depth < 64; ++depth, process = parent_of(host, process)) {
        if (process == self) return true;
    }
    return false;
}

// Branches of runs that were killed: named after a process that is not there any more, and empty.
void sweep(int parent) {
    for (const std::string& name : os::list_directory(parent)) {
        const auto owner = owner_of_branch(name);
        if (!owner || ::kill(*owner, 0) == 0 || errno != ESRCH) continue;
        const long opened =
            os::try_sys([&] { return ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
        if (opened < 0) continue;
        const Fd branch(static_cast<int>(opened));
        for (const std::string& inner : os::list_directory(branch.get())) {
            ::unlinkat(branch.get(), inner.c_str(), AT_REMOVEDIR);  // of what is in it, only directories can go
        }
        ::unlinkat(parent, name.c_str(), AT_REMOVEDIR);
    }
}

// Switches on, for what is below `directory`, whatever it has; answers those that were off. `directory` must have no
// processes itself (the kernel's "No Internal Process Constraint"): memory and disks are refused then, but pids and CPU
// are not, and make the cgroups below it useless ("domain invalid", cgroups(7)).
std::string switch_on(int directory) {
    const std::string there = read_cgroup_file(directory, "cgroup.controllers").value_or("");
    const std::string on = read_cgroup_file(directory, "cgroup.subtree_control").value_or("");
    std::string switched;
    for (const ControllerName& one : all_controllers) {
        if (!has_word(there, one.name) || has_word(on, one.name)) continue;
        try {
            write_cgroup_file(directory, "cgroup.subtree_control", format("+{}", one.name));
            switched += format("{} ", one.name);
        } catch (const os::SysError&) {  // it is not there then, and has() says so
        }
    }
    return switched;
}

void switch_off(int directory, const std::string& controllers) {
    std::istringstream stream(controllers);
    for (std::string one; stream >> one;) {
        try {
            write_cgroup_file(directory, "cgroup.subtree_control", "-" + one);
        } catch (const os::SysError&) {  // somebody else uses it by now
        }
    }
}

// Who is born elsewhere has been moved: whoever does that must be able to write in a cgroup above both places.
Cgroup::Birth birth_in(const std::string& mount, const std::string& from, const std::string& to) {
    const auto [end, other] = std::ranges::mismatch(from, to);
    const std::size_t slash = from.rfind('/', static_cast<std::size_t>(end - from.begin()));
    const std::string above = format("{}{}/cgroup.procs", mount, from.substr(0, slash));
    return ::faccessat(AT_FDCWD, above.c_str(), W_OK, AT_EACCESS) == 0 ? Cgroup::Birth::possible
                                                                       : Cgroup::Birth::refused;
}

void move_into(int directory, const std::vector<pid_t>& processes) {
    for (const pid_t process : processes) {
        try {
            write_cgroup_file(directory, "cgroup.procs", format("{}", process));
        } catch (const os::SysError& error) {
            if (error.error() != ESRCH) throw;
        }
    }
}

}  // namespace

CgroupTree::CgroupTree(const os::HostFiles& host) {
    if (const char* const given = std::getenv("STAGEBOX_CGROUP"); given != nullptr && *given != '\0') {
        use_given(host, given);
        return;
    }
    std::string why_not;
    if (use_own(host, why_not)) return;
    if (use_scope(host, why_not)) return;
    throw CgroupMissing(why_not, is_under_systemd(host) ? delegate_words
                                                        : "give it a directory of /sys/fs/cgroup that it may write: "
                                                          "STAGEBOX_CGROUP=DIRECTORY stagebox ...");
}

CgroupTree::~CgroupTree() {
    if (scope_) {
        scope_->end();
        // systemd hears of it, too, and removes the directory: on a busy machine after some seconds.
        const int most = wait_until_empty(root_.get()) ? 2000 : 0;
        for (int tries = 0; tries < most && ::faccessat(root_.get(), "cgroup.procs", F_OK, 0) == 0; ++tries) {
            ::usleep(5000);
        }
    }
    leave_branch();
}

void CgroupTree::use_given(const os::HostFiles& host, const std::string& path) {
    try {
        parent_ = os::open_directory(AT_FDCWD, path);
        if (!os::exists(parent_.get(), "cgroup.controllers")) {
            throw CgroupMissing(format("STAGEBOX_CGROUP is {}, which is not a cgroup of version 2", path),
                                "name a directory below /sys/fs/cgroup that you may write");
        }
        make_branch(parent_.get());
        enable(host);
        words_ = format("the cgroup {}", path);
    } catch (const os::SysError& error) {
        leave_branch();
        throw CgroupMissing(format("STAGEBOX_CGROUP is {}, which cannot be used: {}", path, error.what()),
                            "name a directory below /sys/fs/cgroup that you may write");
    }
}

bool CgroupTree::use_own(const os::HostFiles& host, std::string& why_not) {
    const std::string mount = find_mount();
    refuse_empty(mount);
    own_place_ = cgroup_of(host, ::getpid());
    const std::string path = mount + own_place_;
    if (own_place_.empty() || !is_left_to_us(host, path, own_place_)) {
        why_not = format("the cgroup {} is not left to this user", own_place_);
        return false;
    }
    try {
        parent_ = os::open_directory(AT_FDCWD, path);
        make_branch(parent_.get());
        enable(host);
        if (has_any_of_ours(controllers_)) {
            words_ = format("the cgroup {}", own_place_);
            return true;
        }
        why_not = format("the cgroup {} has other processes, too", own_place_);
    } catch (const os::SysError& error) {
        why_not = format("the cgroup {} cannot be used: {}", own_place_, error.what());
    }
    leave_branch();
    return false;
}

bool CgroupTree::use_scope(const os::HostFiles& host, std::string& why_not) {
    const std::string mount = find_mount();
    if (!is_under_systemd(host)) return false;
    if (const std::string limit = own_limits(mount + own_place_); !limit.empty()) {
        why_not += format(", and has a limit ({}) that jails in a cgroup elsewhere would leave", limit);
        return false;
    }
    const bool is_root = ::geteuid() == 0;
    try {
        scope_ = std::make_unique<SystemdScope>(is_root ? os::BusKind::system : os::BusKind::user, host);
        root_ = os::open_directory(AT_FDCWD, mount + scope_->place());
        os::make_directory(root_.get(), "holder", 0755);
        const Fd holder = os::open_directory(root_.get(), "holder");
        move_into(holder.get(), {scope_->holder()});
        enable(host);
        birth_ = birth_in(mount, own_place_, scope_->place());
        words_ = format("the scope {} of {} systemd", scope_->unit(), is_root ? "the system's" : "the user's");
        return true;
    } catch (const os::BusError& error) {
        why_not += format(", and systemd gives no other: {}", error.what());
    } catch (const os::SysError& error) {
        why_not += format(", and that of systemd's scope cannot be used: {}", error.what());
    }
    scope_.reset();
    root_.reset();
    return false;
}

// A directory of this run's in `parent`.
void CgroupTree::make_branch(int parent) {
    sweep(parent);
    branch_ = format("stagebox-{}", ::getpid());
    os::make_directory(parent, branch_, 0755);
    root_ = os::open_directory(parent, branch_);
}

void CgroupTree::enable(const os::HostFiles& host) {
    if (parent_ && make_room(host)) enabled_ = switch_on(parent_.get());
    switch_on(root_.get());
    controllers_ = read_cgroup_file(root_.get(), "cgroup.subtree_control").value_or("");
    if (!controllers_.empty() && controllers_.back() == '\n') controllers_.pop_back();
}

// False where others' processes are in the parent. With none but our own there, they go into the branch.
bool CgroupTree::make_room(const os::HostFiles& host) {
    if (!os::exists(parent_.get(), "cgroup.type")) return true;  // the hierarchy's root may have both
    const std::vector<pid_t> there = processes_in(parent_.get());
    if (there.empty()) return true;
    if (own_place_.empty() || !std::ranges::all_of(there, [&](pid_t one) { return is_ours(host, one); })) return false;
    os::make_directory(root_.get(), "supervisor", 0755);
    const Fd supervisor = os::open_directory(root_.get(), "supervisor");
    has_moved_ = true;
    move_into(supervisor.get(), there);
    return true;
}

// In the reverse order of how it was made: nobody can move back as long as a controller is switched on.
void CgroupTree::leave_branch() noexcept {
    if (branch_.empty()) return;
    try {
        switch_off(root_.get(), controllers_);
        switch_off(parent_.get(), enabled_);
        if (std::exchange(has_moved_, false)) {
            const Fd supervisor = os::open_directory(root_.get(), "supervisor");
            move_into(parent_.get(), processes_in(supervisor.get()));
            ::unlinkat(root_.get(), "supervisor", AT_REMOVEDIR);
        }
    } catch (const std::exception&) {  // the directory stays, for the next run's sweep
    }
    root_.reset();
    ::unlinkat(parent_.get(), branch_.c_str(), AT_REMOVEDIR);
    parent_.reset();
    branch_.clear();
    controllers_.clear();
    enabled_.clear();
}

bool CgroupTree::has(Controller controller) const {
    const auto* const named =
        std::ranges::find_if(all_controllers, [&](const ControllerName& one) { return one.controller == controller; });
    return has_word(controllers_, named->name);
}

CgroupTree::Lacking CgroupTree::lacking(const Limits& limits) const {
    Lacking lacking;
    std::string missing;
    const auto look = [&](bool is_set, Controller controller, std::string_view limit, std::string_view name) {
        if (!is_set || has(controller)) return;
        lacking.limits.push_back(limit);
        os::append_part(missing, " ", name);
    };
    look(limits.pids.has_value(), Controller::pids, "pids", "pids");
    look(limits.memory.has_value(), Controller::memory, "memory", "memory");
    look(limits.cpu.has_value(), Controller::cpu, "cpu", "cpu");
    look(limits.io_weight.has_value(), Controller::io, "io-weight", "io");
    if (missing.empty()) return lacking;
    if (scope_ && ::geteuid() != 0) {
        lacking.remedy = format(
            "the users' systemd has no controller {0}; to give it: sudo systemctl edit user@.service, "
            "with the lines [Service] and Delegate=cpu cpuset io memory pids, and log in again",
            missing);
    } else {
        lacking.remedy = format("there is no controller {} in {}", missing, words_);
    }
    return lacking;
}

Cgroup CgroupTree::make(const std::string& name, const Limits& limits) const {
    Cgroup cgroup(root_.get(), name, birth_, [this](const Cgroup& inner, pid_t process) { enter(inner, process); });
    Limits kept = limits;
    if (!has(Controller::pids)) kept.pids.reset();
    if (!has(Controller::memory)) kept.memory.reset();
    if (!has(Controller::cpu)) kept.cpu.reset();
    if (!has(Controller::io)) kept.io_weight.reset();
    cgroup.limit(kept);
    return cgroup;
}

void CgroupTree::enter(const Cgroup& cgroup, pid_t process) const {
    try {
        write_cgroup_file(cgroup.directory(), "cgroup.procs", format("{}", process));
    } catch (const os::SysError& error) {
        if (!scope_ || (error.error() != EACCES && error.error() != EPERM)) throw;
        scope_->attach(cgroup.name(), process);
    }
}

}  // namespace sandbox
