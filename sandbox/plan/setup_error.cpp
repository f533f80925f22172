#include "sandbox/plan/setup_error.hpp"

#include <cerrno>
#include <cstring>

#include "sandbox/os/format.hpp"
#include "sandbox/plan/diagnosis.hpp"

namespace sandbox {
namespace {

using os::format;

std::string what_happened(const FailureRecord& record, const Plan& plan) {
    switch (record.point) {
        case Point::step:
            return record.index < plan.steps.size() ? describe(plan, plan.steps[record.index]) : "walk the plan";
        case Point::clone: return "clone a process into new namespaces";
        case Point::start_init: return "start the jail's init from memory";
        case Point::id_maps: return "map the jail's ids";
        case Point::network: return "start the network";
        case Point::cgroup: return "make the jail's cgroup the root of those that it sees";
        case Point::handshake:
            return record.error == ESRCH ? "start the jail: its init ended without a word" : "wait for the id maps";
        case Point::parent_death_signal: return "tie the jail's life to the supervisor's";
        case Point::descriptors: return "close the supervisor's descriptors";
        case Point::start_payload: return "start the payload's process";
        case Point::drop_init: return "drop init's capabilities";
        case Point::session: return "start a session";
        case Point::terminal: return "take the terminal";
        case Point::standard_streams: return "set up standard input, output and error";
        case Point::working_directory: return format("enter the working directory {}", plan.cwd);
        case Point::rlimit: return format("set resource limit {}", record.index);
        case Point::bounding_set: return format("drop capability {} from the bounding set", record.index);
        case Point::identity: return format("become uid {} gid {}", plan.uid, plan.gid);
        case Point::capabilities: return "set the capabilities";
        case Point::no_new_privileges: return "set no_new_privs";
        case Point::nested_namespaces: return "forbid further user namespaces: one could still be made";
        case Point::keyring: return "join a session keyring of its own";
        case Point::landlock: return "enter a Landlock domain";
        case Point::filter: return "install the system call filter";
        case Point::lock: return "lock a file";
        case Point::execute:
            return format("execute {}", record.index < plan.executables.size() && record.error != ENOENT
                                            ? plan.executables[record.index]
                                            : plan.argv.front());
    }
    return "build the jail";
}

// What to do about a step of this kind, where it is known; empty elsewhere.
class StepRemedy {
  public:
    StepRemedy(const Plan& plan, int error) : plan_(plan), error_(error) {}

    template <class Kind>
    std::string operator()(const Kind& /*one*/) const {
        return {};
    }
    std::string operator()(const step::OpenPath& one) const { return opening(one.path); }
    std::string operator()(const step::CloneTree& one) const { return opening(one.path); }
    std::string operator()(const step::OpenDevice& one) const { return opening(one.path); }
    std::string operator()(const step::CloneDevice& one) const { return opening(one.path); }
    std::string operator()(const step::MountProc& /*one*/) const {
        // Where even this is refused, the steps before it have failed already.
        return error_ == EPERM ? explain_refusal(Refused::fresh_proc, error_, read_host_facts()) : "";
    }
    std::string operator()(const step::LimitUserNamespaces& /*one*/) const {
        return explain_refusal(Refused::proc_sys, error_, read_host_facts());
    }
    std::string operator()(const step::MountSysfs& /*one*/) const {
        return error_ == EPERM ? "sysfs needs a network namespace of the jail's own" : "";
    }
    std::string operator()(const step::UseOverlayRoot& /*one*/) const { return overlay(); }
    std::string operator()(const step::MountOverlay& /*one*/) const { return overlay(); }

  private:
    [[nodiscard]] std::string opening(PlanText path) const {
        const char* const source = plan_.text(path);
        if (error_ == ENOENT) return format("{} does not exist on the host", source);
        if (error_ == EACCES) return format("you may not reach {}: look at the modes of its parents", source);
        return error_ == ENODEV ? format("{} is not a character device on this host", source) : "";
    }
    [[nodiscard]] std::string overlay() const {
        if (error_ != EINVAL && error_ != ENODEV) return {};
        return "the store's file system cannot hold an overlay's upper layer (another overlay, NFS, FAT cannot): put "
               "it elsewhere with --store or STAGEBOX_STORE";
    }

    const Plan& plan_;
    int error_;
};

std::string step_remedy(const Plan& plan, const Step& step, int error) {
    // What it says about new user namespaces is all there is to say.
    std::string known = step.visit(StepRemedy(plan, error));
    if (!known.empty() || step.is<step::LimitUserNamespaces>()) return known;
    if (error == EROFS) return "the target does not exist, and its parent is read-only: mount it earlier, or elsewhere";
    if (error == ELOOP) return "the target is a symbolic link in this root; nothing is mounted through one";
    if (error == ENOTDIR) return "the source is a directory and the target is not, or the other way round";
    return {};
}

// What the jail's own root may not do, or not even call, is refused by something around the jail; which call it is
// shows when each is made once more.
std::string refused_remedy(int error, const Plan& plan) {
    if (error != EPERM && error != EACCES && error != ENOSYS) return {};
    const std::string who = explain_refusal(Refused::rights, error, read_host_facts());
    const std::string call = find_refused_call(plan.ids);
    return call.empty() || who.empty() ? call + who : format("{}; {}", call, who);
}

std::string remedy_for(const FailureRecord& record, const Plan& plan) {
    switch (record.point) {
        case Point::clone:
            if (record.error == EAGAIN) return "too many processes: see `ulimit -u`";
            return explain_refusal(Refused::user_namespace, record.error, read_host_facts());
        case Point::step: {
            if (record.index >= plan.steps.size()) return {};
            const std::string known = step_remedy(plan, plan.steps[record.index], record.error);
            return known.empty() ? refused_remedy(record.error, plan) : known;
        }
        case Point::descriptors:
        case Point::session: return refused_remedy(record.error, plan);
        case Point::start_init:
            if (record.error == EACCES || record.error == EPERM) {
                return "programs in memory may not be executed here: `sudo sysctl vm.memfd_noexec=0`, or a security "
                       "module's rule";
            }
            return {};
        case Point::keyring:
            return record.error == EDQUOT ? "the user has too many keys: see kernel.keys.maxkeys, keyrings(7)" : "";
        case Point::working_directory: return "the directory must exist in the jail's root";
        case Point::execute:
            if (record.error == ENOENT) {
                return "the command, or the interpreter its first line names, is not in the jail's root";
            }
            if (record.error == EACCES) return "it is not executable";
            if (record.error == ENOEXEC) return "it is neither a program of this machine nor a script with a #! line";
            return {};
        case Point::filter: return refused_remedy(record.error, plan);
        default: return {};
    }
}

std::string listener_remedy(const BuildPlan& plan) {
    if (plan.fakeroot == Fakeroot::on) {
        return "the fakeroot needs a listener, and a filter around this process has the only one there can be: use a "
               "range of ids (--ids range), or do without the view";
    }
    return "a filter around this process has a listener, and the kernel allows one: do this outside of that container";
}

SetupError error_of(const FailureRecord& record, const std::string& happened, std::string remedy) {
    return {.point = record.point,
            .error = record.error,
            .problem = {format("{}: {}", happened, std::strerror(record.error)), std::move(remedy)},
            .index = record.index};
}

}  // namespace

SetupError explain(const FailureRecord& record, const BuildPlan& plan) {
    const bool lacks_listener = record.point == Point::filter && record.error == EBUSY;
    return error_of(record, what_happened(record, plan),
                    lacks_listener ? listener_remedy(plan) : remedy_for(record, plan));
}

SetupError explain(const FailureRecord& record, const BubblewrapPlan& plan) {
    const auto& locks = plan.terms.locks;
    const bool is_lock = record.point == Point::lock && record.index < locks.size();
    return error_of(record, is_lock ? "lock " + locks[record.index] : what_happened(record, plan),
                    remedy_for(record, plan));
}

std::string to_string(const SetupError& error) {
    return os::to_string(error.problem);
}

}  // namespace sandbox
