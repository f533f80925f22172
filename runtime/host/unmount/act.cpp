#include "runtime/host/unmount/act.hpp"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <sstream>
#include <thread>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {
namespace {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::HostFiles;
using sandbox::os::MountEntry;
using sandbox::os::try_sys;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds between_tries{50};

// The parent of each mount, by their ids: all that is asked again before each step. Libmount would be a process for
// each, and the two numbers at the beginning of a line need nobody who knows the rest of it.
std::map<int, int> read_parents(const HostFiles& host) {
    std::map<int, int> parents;
    const std::string table = sandbox::os::read_file(host.proc(), "self/mountinfo");
    for (const std::string_view line : sandbox::os::lines(table)) {
        int id = 0;
        int parent = 0;
        const char* const end = line.data() + line.size();
        const auto [after_id, error] = std::from_chars(line.data(), end, id);
        if (error != std::errc{} || after_id == end) continue;
        std::from_chars(after_id + 1, end, parent);
        parents[id] = parent;
    }
    return parents;
}

// The id of the mount that is on top of a place: what umount2(2) and mount(2) would act upon. By an O_PATH descriptor,
// which needs no answer of a file system whose server is dead. 0: there is no way to it; errno says why.
int mount_on(const HostFiles& host, const std::string& place) {
    const long opened = try_sys([&] { return ::open(place.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC); });
    if (opened < 0) {
        errno = static_cast<int>(-opened);
        return 0;
    }
    const Fd file(static_cast<int>(opened));
    const std::string about = sandbox::os::read_file(host.proc(), format("self/fdinfo/{}", file.get()));
    int id = 0;
    const std::size_t at = about.find("mnt_id:");
    if (at != std::string::npos) std::istringstream(about.substr(at + std::string_view("mnt_id:").size())) >> id;
    return id;
}

void set(Step& step, StepState state, std::string why = {}, std::string remedy = {}) {
    step.state = state;
    step.problem.what = std::move(why);
    step.problem.remedy = std::move(remedy);
}

class Worker {
  public:
    Worker(const HostFiles& host, UnmountPlan& plan, const UnmountHow& how) : host_(host), plan_(plan), how_(how) {}
    // One attempt at each step that is not settled. True where one was done.
    bool pass();
    [[nodiscard]] bool is_waiting() const {
        return std::ranges::any_of(plan_.steps, [](const Step& step) { return step.state == StepState::busy; });
    }
    // Who holds what is busy now.
    void find_holders();

  private:
    void attempt(Step& step);
    void unshare(Step& step);
    void unmount(Step& step);
    void detach(Step& step);
    bool clear(Step& step) const;
    void fail(Step& step, int error) const;
    // True where it may go on: the mount is on top at its place.
    bool is_on_top(Step& step) const;
    bool is_kept_by_others(Step& step);
    bool is_hidden_by_locked(const Step& step);
    void lock(Step& step);
    [[nodiscard]] Step* find_step(int mount) {
        const auto step = std::ranges::find_if(
            plan_.steps, [&](const Step& one) { return one.kind == StepKind::unmount && one.mount.id == mount; });
        return step == plan_.steps.end() ? nullptr : &*step;
    }
    [[nodiscard]] bool is_lazy() const { return how_.mode == UnmountMode::lazy; }

    const HostFiles& host_;
    UnmountPlan& plan_;
    const UnmountHow& how_;
    std::map<int, int> parents_;
    std::set<int> locked_;  // by the kernel, to what they are mounted on
};

bool Worker::pass() {
    bool is_any_done = false;
    for (Step& step : plan_.steps) {
        if (step.state != StepState::planned && step.state != StepState::busy) continue;
        parents_ = read_parents(host_);
        attempt(step);
        if (step.state != StepState::done) continue;
        is_any_done = true;
        if (how_.done) how_.done(step);
    }
    return is_any_done;
}

void Worker::attempt(Step& step) {
    if (step.kind == StepKind::detach) return detach(step);
    if (!parents_.contains(step.mount.id)) return set(step, StepState::done);  // it went with another one
    if (step.kind == StepKind::unshare) return unshare(step);
    unmount(step);
}

bool Worker::is_on_top(Step& step) const {
    const int on_top = mount_on(host_, step.mount.target);
    if (on_top == step.mount.id) return true;
    if (on_top == 0 && errno != ENOENT && errno != ENOTDIR) {
        fail(step, errno);
        return false;
    }
    // What hides it is of the tree and may go still, or is not.
    const bool is_open = std::ranges::any_of(plan_.steps, [&](const Step& other) {
        const bool is_settled = other.state != StepState::planned && other.state != StepState::busy;
        return !is_settled && (&other < &step || (&other > &step && step.kind == StepKind::unshare));
    });
    set(step, is_open ? StepState::busy : StepState::failed, "another mount hides it");
    return false;
}

void Worker::unshare(Step& step) {
    if (!is_on_top(step)) return;
    const long result =
        try_sys([&] { return ::mount(nullptr, step.mount.target.c_str(), nullptr, MS_PRIVATE, nullptr); });
    if (result != 0) return fail(step, static_cast<int>(-result));
    set(step, StepState::done);
}

// Something is on it that stays, or that came meanwhile; or what is unmounted here would be unmounted elsewhere too.
bool Worker::is_kept_by_others(Step& step) {
    for (const Step& other : plan_.steps) {
        const bool is_shared =
            other.kind == StepKind::unshare && other.mount.id == step.mount.parent && other.state != StepState::done;
        if (!is_shared) continue;
        set(step, other.state == StepState::busy ? StepState::busy : StepState::failed,
            format("{} still has a peer, which would lose it too", plain(other.mount.target)));
        return true;
    }
    for (const auto& [child, parent] : parents_) {
        if (parent != step.mount.id || child == parent) continue;
        const Step* other = find_step(child);
        if (other == nullptr) {
            set(step, StepState::busy, "something was mounted on it meanwhile");
        } else if (is_lazy() && locked_.contains(child)) {
            continue;  // it goes with this one
        } else {
            const bool is_final = other->state == StepState::refused || other->state == StepState::failed;
            set(step, is_final ? StepState::failed : StepState::busy,
                format("{} stays mounted", plain(other->mount.target)));
        }
        return true;
    }
    return false;
}

// A locked one is on the same place, which leads to that one: only what both are mounted on can go.
bool Worker::is_hidden_by_locked(const Step& step) {
    return std::ranges::any_of(locked_, [&](int locked) {
        const auto at = parents_.find(locked);
        if (at == parents_.end() || at->second != step.mount.id) return false;
        const Step* other = find_step(locked);
        return other != nullptr && other->mount.target == step.mount.target;
    });
}

// mount_namespaces(7): what came in one piece from a namespace with more rights stays in one piece.
void Worker::lock(Step& step) {
    constexpr const char* why =
        "the kernel keeps it locked to the mount below it: it came from a namespace with more rights";
    locked_.insert(step.mount.id);
    if (is_lazy()) return set(step, StepState::busy, why);
    set(step, StepState::failed, why, unmount_command(plan_.directory, "--lazy"));
}

void Worker::unmount(Step& step) {
    if (is_kept_by_others(step)) return;
    if (is_hidden_by_locked(step)) return lock(step);
    if (!is_on_top(step)) return;
    const int flags = UMOUNT_NOFOLLOW | (is_lazy() ? MNT_DETACH : 0);
    const long result = try_sys([&] { return ::umount2(step.mount.target.c_str(), flags); });
    if (result == 0) return set(step, StepState::done);
    if (result == -EBUSY) return set(step, StepState::busy);
    if (result == -EINVAL) return lock(step);
    fail(step, static_cast<int>(-result));
}

void Worker::detach(Step& step) {
    const std::vector<LoopDevice> loops = read_loops(host_);
    if (std::ranges::find(loops, step.loop) == loops.end()) return set(step, StepState::done);
    if (!clear(step)) return;
    // Somebody who is not ours to see may have it open still: then it goes when they close it.
    const std::vector<LoopDevice> after = read_loops(host_);
    const bool is_gone = std::ranges::find(after, step.loop) == after.end();
    if (is_gone || is_lazy()) return set(step, StepState::done);
    set(step, StepState::busy, "somebody has it open");
}

bool Worker::clear(Step& step) const {
    // O_EXCL with a block device (open(2)): refused as long as it is mounted in any namespace, or under another device.
    // The kernel itself would put the end off until then, and say that all is well.
    const std::string device = "/dev/" + step.loop.name;
    const int flags = O_RDONLY | O_CLOEXEC | (is_lazy() ? 0 : O_EXCL);
    const long opened = try_sys([&] { return ::open(device.c_str(), flags); });
    if (opened == -EBUSY) {
        set(step, StepState::busy, "it is mounted somewhere, or another device stands on it");
        return false;
    }
    if (opened < 0) {
        fail(step, static_cast<int>(-opened));
        return false;
    }
    const Fd file(static_cast<int>(opened));
    std::vector<Hold> holds = read_holds(host_, read_processes(host_), {}, {step.loop.name}).holds;
    std::erase_if(holds, [](const Hold& hold) { return hold.pid == ::getpid(); });
    if (!holds.empty() && !is_lazy()) {
        set(step, StepState::busy);
        return false;
    }
    const long result = try_sys([&] { return ::ioctl(file.get(), LOOP_CLR_FD); });
    if (result != 0) fail(step, static_cast<int>(-result));
    return result == 0;
}

void Worker::fail(Step& step, int error) const {
    std::string remedy;
    if (error == EPERM || error == EACCES) {
        remedy = step.mount.fstype.starts_with("fuse")
                     ? format("fusermount3 -u {}", sandbox::os::shell_word(step.mount.target))
                     : unmount_command(plan_.directory);
    }
    set(step, StepState::failed, std::strerror(error), std::move(remedy));
}

void Worker::find_holders() {
    std::vector<MountEntry> mounts;
    std::set<std::string> loops;
    for (const Step& step : plan_.steps) {
        if (step.state != StepState::busy) continue;
        if (step.kind == StepKind::unmount) mounts.push_back(step.mount);
        if (step.kind == StepKind::detach) loops.insert(step.loop.name);
    }
    const Holds held = read_holds(host_, read_processes(host_), mounts, loops);
    for (Step& step : plan_.steps) {
        if (step.state == StepState::refused) continue;  // with those that it was refused for
        step.holds.clear();
        for (const Hold& hold : held.holds) {
            if (is_held_by(step, hold)) step.holds.push_back(hold);
        }
    }
}

}  // namespace

void carry_out(const HostFiles& host, UnmountPlan& plan, const UnmountHow& how) {
    sandbox::os::sys([] { return ::chdir("/"); }, "leave the working directory");
    Worker worker(host, plan, how);
    auto end = Clock::now() + how.longest_wait;
    bool is_told = !how.waits;
    for (;;) {
        // What was done may be what another one waited for.
        const bool is_any_done = worker.pass();
        if (is_any_done) end = Clock::now() + how.longest_wait;
        if (!worker.is_waiting() || Clock::now() >= end) break;
        if (is_any_done) continue;
        if (!is_told) {
            worker.find_holders();
            for (const Step& step : plan.steps) {
                if (step.state == StepState::busy) how.waits(step);
            }
            is_told = true;
        }
        std::this_thread::sleep_for(between_tries);
    }
    worker.find_holders();
}

}  // namespace runtime::host
