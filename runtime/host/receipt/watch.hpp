// Looks at the host before, during and after a run, and finds out which stage a trace of ours is of. Knows stages by
// their names and what their jails are known by, and nothing of what they do.
#pragma once
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "runtime/host/receipt/receipt.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

class Watch {
  public:
    // The first look. `store`: the store's absolute path.
    explicit Watch(std::string store);

    // This machine's, for whoever looks at more of it.
    [[nodiscard]] const sandbox::os::HostFiles& host() const noexcept { return host_; }
    [[nodiscard]] const HostState& before() const noexcept { return before_; }

    // A stage has a staging directory, an absolute path; its jail runs; it is over. More than once where it is tried
    // again.
    void stage_began(const std::string& stage, const std::string& staging);
    void jail_began(const std::string& stage, pid_t init);
    void stage_ended(const std::string& stage);

    // A look meanwhile, if the last one was some seconds ago. Costs nothing but CPU: the supervisor has nothing to do.
    void sample_if_due(const Ours& ours);

    // The last look. `ours` as the run knows it: what its stages are known by is added here. Processes that seem to be
    // left get a moment to end, and are looked at again.
    [[nodiscard]] Receipt finish(Ours ours);

  private:
    struct Window {
        std::string stage;
        std::uint64_t began = 0;  // clock ticks after boot, as in Process::start
        std::uint64_t ended = 0;  // 0: it still runs
    };

    HostState look(Depth depth);
    void note_cgroup(const std::string& stage, pid_t init);
    void let_empty_namespaces_go();
    [[nodiscard]] Ours complete(Ours ours) const;
    // Stages that ran at any time in between; "a" or "a or b".
    [[nodiscard]] std::string stages_between(std::uint64_t from, std::uint64_t to) const;
    void name_stage(Difference& difference, const HostState& after) const;

    sandbox::os::HostFiles host_;
    std::string store_;
    HostState before_;
    std::uint64_t before_at_ = 0;
    std::vector<Window> windows_;
    Ours known_;  // what stages are known by
    // The namespace of a jail. While it is held, the kernel gives its number to no other; a process that is left in it
    // holds it as well.
    struct HeldNamespace {
        std::uint64_t number = 0;
        std::string stage;
        sandbox::os::Fd file;
        bool is_over = false;  // the stage is
    };
    std::vector<HeldNamespace> held_namespaces_;
    static constexpr std::size_t jails_between_looks = 8;
    std::size_t most_held_ = jails_between_looks;  // before another is held, those that nobody is in are let go
    struct Seen {
        Difference difference;
        std::uint64_t after = 0;  // the last look without it
        std::uint64_t by = 0;     // the first with it
    };
    std::vector<Seen> seen_;
    std::chrono::steady_clock::time_point last_look_;
    std::uint64_t last_look_at_ = 0;
    bool is_range_shared_ = false;
    std::size_t samples_ = 0;
    std::chrono::steady_clock::duration spent_{};
};

}  // namespace runtime::host
