#include "sandbox/failure.hpp"

#include <cerrno>
#include <cstring>

#include "sandbox/os/format.hpp"

namespace sandbox {
namespace {

using os::format;

std::string what_happened(const FailureRecord& record, const Plan& plan) {
    switch (record.point) {
        case Point::step:
            return record.index < plan.steps.size() ? describe(plan.steps[record.index]) : "walk the plan";
        case Point::clone: return "clone a process into new namespaces";
        case Point::id_maps: return "map the jail's ids";
        case Point::handshake: return "wait for the id maps";
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
        case Point::filter: return "install the system call filter";
        case Point::execute:
            return format("execute {}", record.index < plan.executables.size() && record.error != ENOENT
                                            ? plan.executables[record.index]
                                            : plan.argv.front());
    }
    return "build the jail";
}

std::string clone_remedy(int error) {
    switch (error) {
        case ENOSPC:
            return "the limit of user namespaces is reached: sysctl user.max_user_namespaces must be above 0, and "
                   "namespaces may nest 32 deep";
        case EPERM:
            return "user namespaces are forbidden here: `sudo sysctl kernel.unprivileged_userns_clone=1` (Debian), or "
                   "in a container run it with a seccomp profile that allows clone3 with namespaces; `stagebox doctor` "
                   "tells which";
        case ENOSYS: return "clone3 is missing: Linux 5.9 or newer is needed, and no filter around that refuses it";
        case EINVAL: return "the kernel lacks one of the namespaces: `stagebox doctor` tells which";
        case EAGAIN: return "too many processes: see `ulimit -u`";
        default: return {};
    }
}

std::string step_remedy(const Step& step, int error) {
    switch (step.kind) {
        case StepKind::open_path:
        case StepKind::clone_tree:
        case StepKind::clone_device:
            if (error == ENOENT) return format("{} does not exist on the host", step.path);
            if (error == EACCES) return format("you may not reach {}: look at the modes of its parents", step.path);
            if (error == ENODEV) return format("{} is not a character device on this host", step.path);
            break;
        case StepKind::proc:
            if (error == EPERM) {
                return "the kernel allows a fresh /proc only where the existing one is not partly hidden: in a "
                       "container, "
                       "run that one with an unmasked /proc (podman: --security-opt unmask=/proc/*)";
            }
            break;
        case StepKind::sysfs:
            if (error == EPERM) return "sysfs needs a network namespace of the jail's own";
            break;
        case StepKind::root_overlay:
        case StepKind::overlay:
            if (error == EINVAL || error == ENODEV) {
                return "the store's file system cannot hold an overlay's upper layer (another overlay, NFS, FAT "
                       "cannot): "
                       "put it elsewhere with --store or STAGEBOX_STORE";
            }
            break;
        default: break;
    }
    if (error == EROFS) return "the target does not exist, and its parent is read-only: mount it earlier, or elsewhere";
    if (error == ELOOP) return "the target is a symbolic link in this root; nothing is mounted through one";
    if (error == ENOTDIR) return "the source is a directory and the target is not, or the other way round";
    return {};
}

std::string remedy_for(const FailureRecord& record, const Plan& plan) {
    switch (record.point) {
        case Point::clone: return clone_remedy(record.error);
        case Point::step:
            return record.index < plan.steps.size() ? step_remedy(plan.steps[record.index], record.error) : "";
        case Point::working_directory: return "the directory must exist in the jail's root";
        case Point::execute:
            if (record.error == ENOENT) {
                return "the command, or the interpreter its first line names, is not in the jail's root";
            }
            if (record.error == EACCES) return "it is not executable";
            if (record.error == ENOEXEC) return "it is neither a program of this machine nor a script with a #! line";
            return {};
        default: return {};
    }
}

}  // namespace

SetupError explain(const FailureRecord& record, const Plan& plan) {
    return {.point = record.point,
            .error = record.error,
            .what = format("{}: {}", what_happened(record, plan), std::strerror(record.error)),
            .remedy = remedy_for(record, plan)};
}

std::string to_string(const SetupError& error) {
    return error.remedy.empty() ? error.what : format("{}\n  help: {}", error.what, error.remedy);
}

}  // namespace sandbox
