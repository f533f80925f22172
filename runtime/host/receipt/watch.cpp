#include "runtime/host/receipt/watch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "sandbox/cgroup/place.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds time_between_looks{5};
// A process that was killed is there until the kernel has taken it down: one that others killed, too.
constexpr std::chrono::milliseconds settling{100};

// As the kernel counts it for proc_pid_stat(5).
std::uint64_t ticks_now() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return static_cast<std::uint64_t>(now.tv_sec) * per_second +
           static_cast<std::uint64_t>(now.tv_nsec) * per_second / 1'000'000'000;
}

bool is_same_thing(const Difference& a, const Difference& b) {
    return a.kind == b.kind && a.subject == b.subject && a.change == b.change;
}

// What no part of a run makes on the host, not even for a moment. Processes, units and files come and go with it.
bool must_never_be(Kind kind) {
    return row_of(kind).in_run == InRun::never;
}

bool has_left_processes(const std::vector<Difference>& differences) {
    return std::any_of(differences.begin(), differences.end(), [](const Difference& difference) {
        return difference.whose == Owner::ours && difference.kind == Kind::process;
    });
}

}  // namespace

Watch::Watch(std::string store) : store_(std::move(store)) {
    before_ = look(Depth::whole);
    before_at_ = last_look_at_;
    samples_ = 0;
}

HostState Watch::look(Depth depth) {
    const auto began = Clock::now();
    HostState state = observe(host_, store_, depth, before_.mounts);
    last_look_ = Clock::now();
    last_look_at_ = ticks_now();
    spent_ += last_look_ - began;
    ++samples_;
    return state;
}

void Watch::stage_began(const std::string& stage, const std::string& staging) {
    windows_.push_back({stage, ticks_now(), 0});
    known_.places.push_back({staging, stage});
}

// A jail has a cgroup of its own, below the run's; or none, and is in ours.
void Watch::note_cgroup(const std::string& stage, pid_t init) {
    const std::string cgroup = sandbox::cgroup_of(host_, init);
    const std::size_t slash = cgroup.rfind('/');
    if (slash == std::string::npos || slash == 0 || cgroup == sandbox::cgroup_of(host_, ::getpid())) return;
    known_.cgroups.push_back({cgroup, stage});
    const std::string run = cgroup.substr(0, slash);
    if (known_.find_cgroup(run) == nullptr) known_.cgroups.push_back({run, {}});
}

void Watch::jail_began(const std::string& stage, pid_t init) {
    note_cgroup(stage, init);
    const std::string path = format("{}/ns/user", init);
    sandbox::os::Fd held(::openat(host_.proc(), path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat about = {};
    // Gone already: then it left no process in its namespace.
    if (!held || ::fstat(held.get(), &about) != 0) return;
    if (held_namespaces_.size() >= most_held_) let_empty_namespaces_go();
    known_.user_namespaces.push_back({about.st_ino, stage});
    held_namespaces_.push_back({about.st_ino, stage, std::move(held)});
}

// Descriptors are few, and stages may be many. What can tell nothing any more goes: a jail's namespace that no process
// is in after its stage. Once for several jails, because it takes a look at all processes.
void Watch::let_empty_namespaces_go() {
    const std::set<std::uint64_t> in_use = user_namespaces_in_use(host_);
    const auto is_empty = [&](const HeldNamespace& held) { return held.is_over && !in_use.contains(held.number); };
    for (const HeldNamespace& held : held_namespaces_) {
        if (!is_empty(held)) continue;
        std::erase_if(known_.user_namespaces, [&](const auto& known) { return known.fact == held.number; });
    }
    std::erase_if(held_namespaces_, is_empty);
    most_held_ = held_namespaces_.size() + jails_between_looks;
}

void Watch::stage_ended(const std::string& stage) {
    for (Window& window : windows_) {
        if (window.stage == stage && window.ended == 0) window.ended = ticks_now();
    }
    for (HeldNamespace& held : held_namespaces_) held.is_over = held.is_over || held.stage == stage;
}

Ours Watch::complete(Ours ours) const {
    ours.places = known_.places;
    ours.cgroups = known_.cgroups;
    ours.user_namespaces = known_.user_namespaces;
    ours.is_range_shared = is_range_shared_;
    return ours;
}

void Watch::sample_if_due(const Ours& ours) {
    if (Clock::now() - last_look_ < time_between_looks) return;
    const std::uint64_t previous = last_look_at_;
    const HostState now = look(Depth::quick);
    const Ours all = complete(ours);
    is_range_shared_ = is_range_shared_ || Lineage(now.processes, all).is_range_shared();
    for (Difference& difference : compare(before_, now, all)) {
        if (difference.whose != Owner::ours || difference.kind == Kind::process) continue;
        const auto known = std::any_of(seen_.begin(), seen_.end(),
                                       [&](const Seen& seen) { return is_same_thing(seen.difference, difference); });
        if (!known) seen_.push_back({std::move(difference), previous, last_look_at_});
    }
}

std::string Watch::stages_between(std::uint64_t from, std::uint64_t to) const {
    std::set<std::string> names;
    for (const Window& window : windows_) {
        if (window.began <= to && (window.ended == 0 || window.ended >= from)) names.insert(window.stage);
    }
    return sandbox::os::join(names, " or ");
}

// By what it is of, else by when it began.
void Watch::name_stage(Difference& difference, const HostState& after) const {
    if (difference.whose != Owner::ours || !difference.stage.empty()) return;
    std::uint64_t from = before_at_;
    std::uint64_t to = last_look_at_;
    for (const Seen& seen : seen_) {
        if (is_same_thing(seen.difference, difference)) std::tie(from, to) = std::pair(seen.after, seen.by);
    }
    for (const Process& process : after.processes) {
        if (difference.kind != Kind::process || !difference.subject.starts_with(format("process {} ", process.pid)))
            continue;
        from = to = process.start;
    }
    difference.stage = stages_between(from, to);
}

Receipt Watch::finish(Ours ours) {
    HostState after = look(Depth::whole);
    find_service_facts(before_.services, after.services);
    ours = complete(std::move(ours));
    ours.is_range_shared = ours.is_range_shared || Lineage(after.processes, ours).is_range_shared();
    std::vector<Difference> differences = compare(before_, after, ours);
    if (has_left_processes(differences)) {
        std::this_thread::sleep_for(settling);
        after.processes = read_processes(host_);
        differences = compare(before_, after, ours);
    }
    for (const Seen& seen : seen_) {
        const bool is_there = std::any_of(differences.begin(), differences.end(), [&](const Difference& difference) {
            return is_same_thing(seen.difference, difference);
        });
        if (is_there || !must_never_be(seen.difference.kind)) continue;
        Difference gone = seen.difference;
        gone.change += " and gone again";
        if (gone.stage.empty()) gone.stage = stages_between(seen.after, seen.by);
        differences.push_back(std::move(gone));
    }
    for (Difference& difference : differences) name_stage(difference, after);
    Receipt receipt = make_receipt(before_, after, std::move(differences));
    receipt.samples = samples_ - 1;
    receipt.milliseconds = std::chrono::duration<double, std::milli>(spent_).count();
    return receipt;
}

}  // namespace runtime::host
