// The plan of a jail in bubblewrap mode.
#include <sched.h>

#include <algorithm>

#include "sandbox/plan/mounts.hpp"

namespace sandbox {
namespace {

using os::format;

// That of execvp(3).
constexpr std::string_view standard_path = "/bin:/usr/bin";

std::uint64_t namespaces_of(const BubblewrapSpec& spec) {
    std::uint64_t flags = CLONE_NEWNS;
    if (spec.network != Network::host) flags |= CLONE_NEWNET;
    const BubblewrapTerms& terms = spec.terms;
    const std::pair<Share, std::uint64_t> kinds[] = {{terms.user, CLONE_NEWUSER},
                                                     {terms.pid, CLONE_NEWPID},
                                                     {terms.ipc, CLONE_NEWIPC},
                                                     {terms.uts, CLONE_NEWUTS},
                                                     {terms.cgroup, CLONE_NEWCGROUP}};
    for (const auto& [share, flag] : kinds) {
        if (share == Share::own) flags |= flag;
    }
    return flags;
}

// A user namespace with one id. Where something needs the id 0 (a devpts does), that one is 0 while the jail is made,
// and the command's is given in a second namespace, made when all is mounted.
class IdSteps {
  public:
    IdSteps(PlanWriter& to, const BubblewrapSpec& spec, const Command& command)
        : to_(to), spec_(spec), command_(command) {
        const BubblewrapTerms& terms = spec.terms;
        maps_ = terms.user == Share::own && !terms.ids_come_from_outside;
        nests_ = maps_ && needs_zero();
    }

    void add_first() {
        if (!maps_) return;
        proc_ = to_.open<step::OpenPath>("/proc");
        const std::uint32_t uid = nests_ ? 0 : command_.uid;
        const std::uint32_t gid = nests_ ? 0 : command_.gid;
        to_.add(map(uid, spec_.ids.uid_base, gid, spec_.ids.gid_base));
    }
    void add_last() {
        const BubblewrapTerms& terms = spec_.terms;
        if (terms.second_user_namespace >= 0) to_.add(step::JoinUserNamespace{terms.second_user_namespace});
        const bool is_last = terms.inner_users == InnerUsers::off;
        if (nests_) to_.add(step::NestUserNamespace{map(command_.uid, 0, command_.gid, 0), is_last});
        if (terms.inner_users != InnerUsers::allowed) to_.add(step::CheckNoNesting{});
    }

  private:
    [[nodiscard]] bool needs_zero() const {
        if (spec_.terms.inner_users == InnerUsers::off) return true;
        const bool has_devpts =
            std::ranges::any_of(spec_.mounts, [](const Mount& mount) { return std::holds_alternative<Devpts>(mount); });
        return has_devpts && (command_.uid != 0 || command_.gid != 0);
    }
    step::MapIds map(std::uint32_t uid, std::uint32_t uid_outside, std::uint32_t gid, std::uint32_t gid_outside) {
        return {proc_, to_.keep(format("{} {} 1\n", uid, uid_outside)),
                to_.keep(format("{} {} 1\n", gid, gid_outside))};
    }

    PlanWriter& to_;
    const BubblewrapSpec& spec_;
    const Command& command_;
    bool maps_ = false;
    bool nests_ = false;
    Slot proc_;
};

void add_steps(PlanWriter& to, const BubblewrapSpec& spec, const Command& command) {
    MountPlanner mounts(to, spec);
    IdSteps ids(to, spec, command);
    ids.add_first();
    to.add(step::SeparateMounts{true});
    mounts.open_base();
    mounts.open_sources();
    to.add(step::KeepIdentity{});
    mounts.add_base();
    mounts.add_root();
    mounts.add_mounts();
    to.add(step::Pivot{});
    add_names(to, spec);
    ids.add_last();
}

}  // namespace

BubblewrapPlan make_plan(const BubblewrapSpec& spec, const Command& command) {
    BubblewrapPlan plan;
    plan.ids = spec.ids;
    plan.overlap = spec.overlap;
    plan.clone_flags = namespaces_of(spec);
    plan.terms = spec.terms;
    PlanWriter to(plan);
    add_steps(to, spec, command);
    add_command(plan, command, standard_path);
    return plan;
}

}  // namespace sandbox
