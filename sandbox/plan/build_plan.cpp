// The plan of a jail for a build.
#include <sched.h>
#include <sys/syscall.h>

#include "sandbox/fakeroot/calls.hpp"
#include "sandbox/filter/denials.hpp"
#include "sandbox/filter/eval.hpp"
#include "sandbox/os/default_path.hpp"
#include "sandbox/plan/mounts.hpp"

namespace sandbox {
namespace {

using os::format;

std::uint64_t namespaces_of(const BuildSpec& spec) {
    const std::uint64_t flags =
        CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    return spec.network == Network::host ? flags : flags | CLONE_NEWNET;
}

// One id that is not 0: the jail is made with 0, and a second user namespace, made when all is mounted, gives the
// command its own.
bool needs_inner_ids(const BuildSpec& spec, const Command& command) {
    return spec.ids.mode == IdMode::single && (command.uid != 0 || command.gid != 0);
}

void add_inner_ids(PlanWriter& to, Slot proc, const Command& command) {
    to.add(step::NestUserNamespace{
        {proc, to.keep(format("{} 0 1\n", command.uid)), to.keep(format("{} 0 1\n", command.gid))}, false});
}

void add_masks(PlanWriter& to, const BuildSpec& spec, Slot null_device) {
    for (const std::string& path : spec.read_only_paths) to.add(step::ProtectPath{to.keep(path), false});
    for (const std::string& path : spec.masked_paths) to.add(step::MaskPath{to.keep(path), null_device});
}

void add_steps(PlanWriter& to, const BuildSpec& spec, const Command& command) {
    MountPlanner mounts(to, spec);
    const bool has_inner_ids = needs_inner_ids(spec, command);
    Slot proc;
    if (has_inner_ids) proc = to.open<step::OpenPath>("/proc");
    to.add(step::SeparateMounts{});
    mounts.open_base();
    Slot null_device;
    if (!spec.masked_paths.empty()) null_device = to.open<step::OpenDevice>("/dev/null");
    mounts.open_sources();
    to.add(step::BecomeRoot{});
    if (spec.allow.nested_namespaces == Nested::forbidden) to.add(step::LimitUserNamespaces{has_inner_ids});
    mounts.add_base();
    mounts.add_root();
    mounts.add_mounts();
    add_masks(to, spec, null_device);
    to.add(step::Pivot{});
    add_names(to, spec);
    if (has_inner_ids) add_inner_ids(to, proc, command);
}

void add_fakeroot(BuildPlan& plan, const BuildSpec& spec) {
    plan.fakeroot = spec.fakeroot;
    if (spec.fakeroot == Fakeroot::off) return;
    if (spec.denials == Denials::observed) {
        throw PlanError("calls cannot be observed under the fakeroot, which answers them itself: do without the view");
    }
    if (spec.ids.mode == IdMode::range) {
        throw PlanError("the fakeroot is for a jail with one id: one with a range of ids has a root of its own");
    }
    plan.judged_filter = spec.allow.filter;
    plan.denials = spec.denials;
    plan.unreported_filter = {};  // without a listener, the view would be missing in silence
    plan.filter = fakeroot::with_questions(plan.filter);
}

// The payload makes these before anybody listens, while init waits for its exec: asked about, they would never come
// back.
void check_answers(const FilterProgram& filter) {
    constexpr std::pair<int, std::string_view> before_exec[] = {
        {SYS_execve, "execve"}, {SYS_write, "write"}, {SYS_exit_group, "exit_group"}};
    for (const auto& [number, name] : before_exec) {
        if (evaluate(filter, native_call(number)).action() != SECCOMP_RET_USER_NOTIF) continue;
        throw PlanError(
            format("the system call filter denies {}, or leaves it to the supervisor: then no command can start, so a "
                   "profile must allow it",
                   name));
    }
}

void add_filter(BuildPlan& plan, const BuildSpec& spec) {
    plan.filter = spec.allow.filter;
    const bool needs_listener = asks_supervisor(plan.filter);
    if (spec.denials != Denials::silent) plan.filter = report_denials(plan.filter);
    if (spec.denials == Denials::observed) {
        plan.filter = observe_calls(plan.filter);
    } else if (spec.denials == Denials::reported && !needs_listener) {
        plan.unreported_filter = spec.allow.filter;
    }
    add_fakeroot(plan, spec);
    plan.has_listener = asks_supervisor(plan.filter);
    if (plan.has_listener) check_answers(plan.filter);
}

void add_streams(BuildPlan& plan, const Command& command) {
    plan.stdio[0] = command.stdin_fd;
    plan.stdio[1] = command.stdout_fd;
    plan.stdio[2] = command.stderr_fd;
    plan.controlling_terminal = command.controlling_terminal;
}

void add_allowance(BuildPlan& plan, const BuildSpec& spec) {
    plan.rlimits = spec.allow.rlimits;
    plan.capabilities = spec.allow.capabilities;
    plan.nested_namespaces = spec.allow.nested_namespaces;
    plan.landlock = spec.allow.landlock;
    add_filter(plan, spec);
    plan.more_filters = spec.allow.more_filters;
}

}  // namespace

BuildPlan make_plan(const BuildSpec& spec, const Command& command) {
    BuildPlan plan;
    plan.ids = spec.ids;
    plan.overlap = spec.overlap;
    plan.clone_flags = namespaces_of(spec);
    PlanWriter to(plan);
    add_steps(to, spec, command);
    add_command(plan, command, os::default_path);
    add_streams(plan, command);
    add_allowance(plan, spec);
    return plan;
}

}  // namespace sandbox
