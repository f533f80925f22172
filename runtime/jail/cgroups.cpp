#include "runtime/jail/cgroups.hpp"

#include <unistd.h>

#include <array>

#include "sandbox/os/process.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::jail {

using sandbox::Cgroup;
using sandbox::CgroupTree;
using sandbox::Finding;
using sandbox::Status;
using sandbox::os::format;

void JailCgroups::look() {
    if (std::exchange(has_looked_, true)) return;
    try {
        tree_ = std::make_unique<CgroupTree>();
        words_ = format("a cgroup for each jail, in {}", tree_->words());
    } catch (const sandbox::CgroupMissing& missing) {
        words_ = format("no cgroups: {}", missing.problem().what);
        remedy_ = missing.problem().remedy;
    }
}

JailCgroups::Kept JailCgroups::keep(const sandbox::Limits& limits, sandbox::IdMode ids) {
    std::vector<std::string_view> lacking = sandbox::limits_of_cgroup(limits);
    if (lacking.empty()) return {};
    look();
    std::string remedy = words_ + "; " + remedy_;
    if (tree_) {
        const CgroupTree::Lacking here = tree_->lacking(limits);
        lacking = here.limits;
        remedy = here.remedy;
    }
    return {sandbox::keep_otherwise(limits, lacking, ids),
            format("{}; or say that less will do: fallback = \"rlimits\"", remedy)};
}

void JailCgroups::apply(sandbox::BuildSpec& spec) {
    const Kept kept = keep(spec.limits, spec.ids.mode);
    if (!kept.limits.unkept.empty()) {
        throw std::runtime_error(format("limits that cannot be kept here: {}; {}",
                                        sandbox::os::list_words(kept.limits.unkept), kept.remedy));
    }
    sandbox::add_rlimits(spec.allow.rlimits, kept.limits.rlimits);
}

Cgroup JailCgroups::make(const sandbox::Limits& limits) {
    look();
    if (!tree_) return {};
    return tree_->make(format("jail-{}", ++last_), limits);
}

std::string JailCgroups::words() const {
    return words_;
}

namespace {

// A process that is put into a cgroup, and waits there to be killed with it.
void try_cgroup(const CgroupTree& tree) {
    sandbox::Limits limits;
    if (tree.has(sandbox::Controller::memory)) limits.memory = std::uint64_t{64} << 20U;
    if (tree.has(sandbox::Controller::pids)) limits.pids = 8;
    if (tree.has(sandbox::Controller::cpu)) limits.cpu = 1000;
    const Cgroup cgroup = tree.make("probe", limits);
    int pidfd = -1;
    const long pid = sandbox::os::clone_process(0, pidfd);
    if (pid < 0) throw sandbox::os::SysError(static_cast<int>(-pid), "start a process");
    if (pid == 0) {
        for (;;) ::pause();
    }
    sandbox::os::Child child(static_cast<pid_t>(pid), sandbox::os::Fd(pidfd));
    cgroup.take(child.pid());
    cgroup.kill();
    static_cast<void>(child.wait());
}

}  // namespace

Finding probe_cgroups() {
    constexpr const char* name = "cgroup v2";
    try {
        const CgroupTree tree;
        try_cgroup(tree);
        sandbox::Limits all;
        all.memory = all.pids = 1;
        all.cpu = all.io_weight = 100;
        const CgroupTree::Lacking lacking = tree.lacking(all);
        const std::string where = format("jails have theirs in {}", tree.words());
        if (lacking.limits.empty()) return {name, Status::ok, where + ", with all limits", {}};
        return {name, Status::limited,
                format("{}, without limits of {}", where, sandbox::os::list_words(lacking.limits)), lacking.remedy};
    } catch (const sandbox::CgroupMissing& missing) {
        return {
            name, Status::limited,
            format(
                "{}; use is counted by wait4, and of limits only time and idle are kept, and pids of a jail with one "
                "id",
                missing.problem().what),
            missing.problem().remedy};
    } catch (const std::exception& error) {
        return {name, Status::limited, format("no process can be put into one: {}", error.what()), {}};
    }
}

}  // namespace runtime::jail
