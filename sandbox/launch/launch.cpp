#include "sandbox/launch/launch.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>

#include "sandbox/ids/idmap.hpp"
#include "sandbox/init/task.hpp"
#include "sandbox/launch/own_network.hpp"
#include "sandbox/launch/task_image.hpp"
#include "sandbox/os/caps.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/signals.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/plan/diagnosis.hpp"
#include "sandbox/raw/capabilities.hpp"
#include "sandbox/raw/fd_message.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {
namespace {

using os::Fd;
using os::sys;

// The same open file under a number that neither the payload's streams nor the plan's slots will take.
Fd out_of_the_way(int fd, const BuildPlan& plan) {
    const int lowest = first_slot_fd + plan.slots;
    return Fd(sys([&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, lowest); }, "duplicate descriptor {}", fd));
}

// A directory of the host as a standard stream would be a way out: fchdir(0), or openat(2) from there.
void refuse_directory(int stream, const char* name) {
    struct stat status {};
    sys([&] { return ::fstat(stream, &status); }, "look at {}", name);
    if (S_ISDIR(status.st_mode)) {
        throw PlanError(os::format("{} is a directory, which would let the command out of its root", name));
    }
}

// What both sides hold while the jail comes about.
struct Channels {
    Fd control;
    Fd child_control;
    Fd report;
    Fd child_report;
    std::array<Fd, 3> streams;
    Fd program;
    std::array<int, 5> keep;
};

Channels open_channels(const BuildPlan& plan) {
    Channels channels;
    int pair[2];
    sys([&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair); },
        "make the jail's control socket");
    channels.control = Fd(pair[0]);
    channels.child_control = out_of_the_way(Fd(pair[1]).get(), plan);
    sys([&] { return ::pipe2(pair, O_CLOEXEC); }, "make the jail's report pipe");
    channels.report = Fd(pair[0]);
    channels.child_report = out_of_the_way(Fd(pair[1]).get(), plan);
    constexpr const char* names[] = {"standard input", "standard output", "standard error"};
    for (std::size_t i = 0; i < 3; ++i) refuse_directory(plan.stdio[i], names[i]);
    for (std::size_t i = 0; i < 3; ++i) channels.streams[i] = out_of_the_way(plan.stdio[i], plan);
    channels.program = out_of_the_way(init_program(), plan);
    channels.keep = {channels.child_control.get(), channels.child_report.get(), channels.streams[0].get(),
                     channels.streams[1].get(), channels.streams[2].get()};
    std::sort(channels.keep.begin(), channels.keep.end());
    return channels;
}

// Who makes a network namespace of the jail's own: the kernel with the clone, or the supervisor while init is at work.
enum class NetworkMaker : std::uint8_t { clone, supervisor };

// What is done before init starts may be for the network; a sysfs shows the one in which it is mounted.
NetworkMaker network_maker(const BuildPlan& plan, const BeforeStart& before_start) {
    const auto is_sysfs = [](const Step& step) { return step.is<step::MountSysfs>(); };
    const bool is_early = before_start || std::ranges::any_of(plan.steps, is_sysfs);
    return is_early || (plan.clone_flags & CLONE_NEWNET) == 0 ? NetworkMaker::clone : NetworkMaker::supervisor;
}

// What the clone makes. The network namespace may come later; the jail's cgroup becomes the root in a namespace of
// cgroups that init makes once it is there.
std::uint64_t clone_flags(const BuildPlan& plan, NetworkMaker network, const Cgroup& cgroup) {
    std::uint64_t flags = plan.clone_flags;
    if (network == NetworkMaker::supervisor) flags &= ~std::uint64_t{CLONE_NEWNET};
    if (cgroup) flags &= ~std::uint64_t{CLONE_NEWCGROUP};
    return flags;
}

// What is plain numbers of it.
void set_numbers(ChildTask& task, const BuildPlan& plan, const Channels& channels, NetworkMaker network,
                 const Cgroup& cgroup) {
    task.report_fd = channels.child_report.get();
    task.control_fd = channels.child_control.get();
    task.drop_groups = can_drop_groups(plan.ids);
    task.network_comes = network == NetworkMaker::supervisor;
    task.own_cgroup = cgroup && (plan.clone_flags & CLONE_NEWCGROUP) != 0;
    for (std::size_t i = 0; i < 3; ++i) task.stdio[i] = channels.streams[i].get();
    task.controlling_terminal = plan.controlling_terminal;
    task.capabilities = plan.capabilities;
    task.last_capability = last_capability();
    task.nested_namespaces = plan.nested_namespaces;
    task.landlock = plan.landlock;
    task.has_listener = plan.has_listener;
}

Fd write_task(const BuildPlan& plan, const Channels& channels, NetworkMaker network, const Cgroup& cgroup) {
    TaskImage image = TaskImage::of<ChildTask>();
    const auto task = [&image]() -> ChildTask& { return image.task<ChildTask>(); };
    set_numbers(task(), plan, channels, network, cgroup);
    set_plan(image, plan);
    image.set(task().keep, channels.keep);
    image.set(task().cwd, plan.cwd);
    image.set(task().rlimits, plan.rlimits);
    image.set(task().filter, plan.filter.instructions);
    image.set(task().unreported_filter, plan.unreported_filter.instructions);
    image.set(task().more_filters, plan.more_filters);
    return out_of_the_way(write_image(image).get(), plan);
}

// What the child needs between the clone and its own program, in which it shares the parent's memory.
struct FirstSteps {
    const Channels* channels;
    int task;
    int last_capability;
    std::uint64_t capabilities;
};

// The ids are not mapped yet, so the exec is not root's, and only ambient capabilities outlive it (capabilities(7)).
long keep_capabilities(const FirstSteps& first) {
    long done = set_capabilities(first.capabilities, first.capabilities);
    for (int capability = 0; done >= 0 && capability <= first.last_capability; ++capability) {
        done = call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
    }
    return done;
}

// Under init/child.cpp's rules, on a stack of its own. The descriptors that the program keeps lose close-on-exec here,
// in the child's own table. Not AddressSanitizer's: the marks of its variables would stay where the parent goes on, for
// it does not return.
[[gnu::no_sanitize_address]] int become_init(void* argument) {
    const auto& first = *static_cast<const FirstSteps*>(argument);
    const auto& channels = *first.channels;
    long done = call(SYS_dup3, first.task, task_fd, 0);
    for (const int kept : channels.keep) {
        if (done >= 0) done = call(SYS_fcntl, kept, F_SETFD, 0);
    }
    if (done >= 0) done = keep_capabilities(first);
    const char* const argv[] = {"stagebox-init", nullptr};
    const char* const envp[] = {nullptr};
    if (done >= 0) done = call(SYS_execveat, channels.program.get(), "", argv, envp, AT_EMPTY_PATH);
    const FailureRecord record{Point::start_init, 0, static_cast<std::int32_t>(-done)};
    call(SYS_write, channels.child_report.get(), &record, sizeof record);
    for (;;) call(SYS_exit_group, 1);
}

// Born in the cgroup, a process need not be moved, for which the kernel would wait for all processors. The child is a
// copy; nothing, where it cannot be born there, and errno says little about why.
std::optional<os::Child> clone_into(const Cgroup& cgroup, std::uint64_t namespaces, FirstSteps& first) {
    int pidfd = -1;
    const long pid = os::clone_process(namespaces | CLONE_VFORK, pidfd, cgroup.directory());
    if (pid < 0) return std::nullopt;
    if (pid == 0) become_init(&first);
    return os::Child(static_cast<pid_t>(pid), Fd(pidfd));
}

// Returns the child, or errno. The parent waits until the child has its own program (vfork(2)), so nothing is copied.
std::variant<os::Child, int> clone_child(std::uint64_t namespaces, const Channels& channels, int task,
                                         const Cgroup& cgroup, bool& is_in_cgroup) {
    int pidfd = -1;
    FirstSteps first{&channels, task, last_capability(), known_capabilities()};
    const os::AllSignalsBlocked blocked;
    if (cgroup && cgroup.birth() == Cgroup::Birth::possible) {
        if (auto child = clone_into(cgroup, namespaces, first)) {
            is_in_cgroup = true;
            return *std::move(child);
        }
    }
    alignas(16) std::array<char, 16384> stack;
    const auto flags = static_cast<int>(namespaces | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD);
    const int pid = ::clone(become_init, stack.data() + stack.size(), flags, &first, &pidfd);
    if (pid < 0) return errno;
    return os::Child(pid, Fd(pidfd));
}

SetupError id_map_failure(const std::string& what, int error, std::string remedy) {
    return {.point = Point::id_maps,
            .error = error,
            .problem = {"map the jail's ids: " + what, std::move(remedy)},
            .index = 0};
}

// Waits for the exec, which closes the pipe, or for the record of what failed.
bool read_failure(const Fd& report, FailureRecord& record) {
    const long got = sys([&] { return ::read(report.get(), &record, sizeof record); }, "read the jail's report");
    return got == sizeof record;
}

std::optional<SetupError> map_ids(const os::Child& child, const Channels& channels, const BuildPlan& plan) {
    SetupError failure;
    try {
        apply_idmap(child.pid(), plan.ids, nullptr);
        return std::nullopt;
    } catch (const IdMapError& error) {
        failure = id_map_failure(error.problem().what, EPERM, error.problem().remedy);
    } catch (const os::SysError& error) {
        failure = id_map_failure(error.what(), error.error(),
                                 explain_refusal(Refused::rights, error.error(), read_host_facts()));
    }
    // A child that never became init has no maps to write; its report says why.
    child.signal(SIGKILL);
    FailureRecord record{};
    if (read_failure(channels.report, record)) return explain(record, plan);
    return failure;
}

// Before init goes on, so nothing of the payload's is ever outside. Still with the caller's own id, or systemd would
// refuse.
std::optional<SetupError> put_into(const Cgroup& cgroup, const os::Child& child) {
    try {
        cgroup.take(child.pid());
        return std::nullopt;
    } catch (const std::exception& error) {
        return SetupError{.point = Point::cgroup,
                          .error = EPERM,
                          .problem = {os::format("put the jail into its cgroup: {}", error.what()),
                                      "look at what `stagebox doctor` says about cgroups"},
                          .index = 0};
    }
}

// Init says that the payload's exec has happened, and hands over the listener where there is one, before it closes the
// report pipe: so it is here already. Nothing comes where init ended without a word, because it was killed.
std::optional<Fd> receive_start(const Fd& control) {
    DescriptorMessage message;
    const long got =
        os::try_sys([&] { return ::recvmsg(control.get(), message.get(), MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
    if (got != 1) return std::nullopt;
    return Fd(message.descriptor());
}

// The byte on which init goes on with the plan.
std::optional<SetupError> say_go(const Channels& channels, const BuildPlan& plan) {
    const char go = 1;
    // A child that has already failed does not read; its report says why. Any other failure would leave both waiting.
    const long sent = os::try_sys([&] { return ::send(channels.control.get(), &go, 1, MSG_NOSIGNAL); });
    if (sent >= 0 || sent == -EPIPE || sent == -ECONNRESET) return std::nullopt;
    return explain({Point::handshake, 0, static_cast<int>(-sent)}, plan);
}

// What init waits for. `cgroup`: it has to be put there, because it was not born in it.
std::optional<SetupError> make_ready(const os::Child& child, const Channels& channels, const BuildPlan& plan,
                                     const Cgroup* cgroup, const BeforeStart& before_start) {
    if (auto error = map_ids(child, channels, plan)) return error;
    if (cgroup != nullptr) {
        if (auto error = put_into(*cgroup, child)) return error;
    }
    if (before_start) {
        if (auto error = before_start(child.pid())) return error;
    }
    return say_go(channels, plan);
}

// What answers the calls that ask for owners and ids, where the plan has a fakeroot.
FakerootServer start_view(const BuildPlan& plan, Fd& listener) {
    if (plan.fakeroot != Fakeroot::on || !listener) return {};
    FakerootServer view = start_fakeroot(listener.get(), plan.judged_filter);
    if (plan.denials == Denials::silent) {
        // The view answers everything. Were the listener kept, calls would wait for ever if the view came to an end.
        listener.reset();
        view.passed_on.reset();
    }
    return view;
}

}  // namespace

std::variant<Jail, SetupError> launch(const BuildPlan& plan, const BeforeStart& before_start,
                                      const WhenCloned& when_cloned, Cgroup cgroup) {
    Channels channels = open_channels(plan);
    const NetworkMaker network = network_maker(plan, before_start);
    const Fd task = write_task(plan, channels, network, cgroup);
    bool is_in_cgroup = false;
    auto cloned = clone_child(clone_flags(plan, network, cgroup), channels, task.get(), cgroup, is_in_cgroup);
    if (const int* error = std::get_if<int>(&cloned)) return explain({Point::clone, 0, *error}, plan);
    auto& child = std::get<os::Child>(cloned);
    channels.child_control.reset();
    channels.child_report.reset();

    const bool must_enter = cgroup && !is_in_cgroup;
    if (auto error = make_ready(child, channels, plan, must_enter ? &cgroup : nullptr, before_start)) {
        return *std::move(error);
    }
    if (when_cloned) when_cloned();
    if (network == NetworkMaker::supervisor) hand_over_network(channels.control, make_own_network(child.pidfd()));

    FailureRecord record{};
    if (read_failure(channels.report, record)) return explain(record, plan);
    std::optional<Fd> started = receive_start(channels.control);
    if (!started) return explain({Point::handshake, 0, ESRCH}, plan);
    Fd listener = *std::move(started);
    FakerootServer view = start_view(plan, listener);
    return Jail(std::move(cgroup), std::move(child), std::move(channels.control), std::move(listener), std::move(view));
}

void Jail::signal(int number) {
    const auto byte = static_cast<unsigned char>(number);
    static_cast<void>(::send(control_.get(), &byte, 1, MSG_NOSIGNAL));
}

Outcome Jail::wait() {
    const os::Ending ending = init_.wait();
    view_ = {};  // it holds the jail's mounts
    std::optional<CgroupUsage> counted;
    if (cgroup_) counted = cgroup_.usage();
    cgroup_ = {};
    Outcome outcome{{}, ending.usage, counted};
    os::WaitStatus told;
    const long got = os::try_sys([&] { return ::recv(control_.get(), &told, sizeof told, MSG_DONTWAIT); });
    if (got == sizeof told) outcome.how = told;
    return outcome;
}

}  // namespace sandbox
