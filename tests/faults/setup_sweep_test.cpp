// Each system call of a jail's set-up is made to fail, and each process to be killed at each of them: the payload never
// runs, the error says what failed and why, and nothing is left.
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "sandbox/os/format.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/host.hpp"
#include "tests/support/inject.hpp"
#include "tests/support/workspace.hpp"

#if defined(__x86_64__)
using namespace tests::support;
using namespace std::chrono_literals;
using sandbox::os::format;

namespace {

constexpr int fault_error = EIO;  // no caller makes anything of this one, as of ENOENT or EINTR
constexpr int jail_not_built = 125;

// The processes of a run, as they appear. The network's makes the jail's network namespace while init builds the root.
constexpr int supervisor = 0;
constexpr int init = 1;
constexpr int network = 2;
constexpr int payload = 3;

// Calls whose failure cannot be injected truthfully, or cannot happen.
bool cannot_fail(long number) {
    static const std::set<long> calls = {
        SYS_getuid,
        SYS_geteuid,
        SYS_getgid,
        SYS_getegid,
        SYS_getpid,
        SYS_umask,
        SYS_exit,
        SYS_exit_group,
        SYS_close,  // gives the descriptor up also where it answers an error; an injected one would not
        SYS_brk,    // answers no errors, but the break
        // Signals to their defaults, blocked and free: numbers and sets are constants.
        SYS_rt_sigaction,
        SYS_rt_sigprocmask,
    };
    return calls.contains(number);
}

// Calls that may fail without harm, each with its reason; the error may be told or the jail be built all the same.
bool is_harmless(const CallSite& site) {
    static const std::set<long> calls = {
        // The allocator asks in another way, or std::bad_alloc ends the program with a message.
        SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_futex,
        // Init's loop: what was not answered is asked again.
        SYS_waitid, SYS_ppoll,
        // Init, when the payload's process is there already: init ends, and the payload with it.
        SYS_signalfd4};
    if (calls.contains(site.number)) return true;
    // Asked first with a flag that kernels before 6.3 do not know, then without.
    if (site == CallSite{supervisor, SYS_memfd_create, 0}) return true;
    // The proof that no user namespace can be made: any failure is the answer that is wanted.
    if (site == CallSite{payload, SYS_unshare, 0}) return true;
    // Init makes the network namespace where nobody makes it for it; the second clone is the supervisor's for that.
    if (site.process == network || site == CallSite{supervisor, SYS_clone, 1}) return true;
    if (site.process != init) return false;
    // Init, when the payload runs: what its exec left in the shared table is closed a fifth time; denials that nobody
    // receives are answered by the kernel.
    if (site == CallSite{init, SYS_close_range, 4}) return true;
    // Init's name, after the rows of capabilities.
    return site.number == SYS_sendmsg || (site.number == SYS_prctl && site.count >= 41);
}

class Sweep {
  public:
    explicit Sweep(std::vector<std::string> options) : marker_(unique_marker()) {
        start_.argv = {stagebox_program(), "run"};
        start_.argv.insert(start_.argv.end(), options.begin(), options.end());
        for (const char* word : {"--", "/probe", "echo", "ran"}) start_.argv.emplace_back(word);
        start_.argv.push_back(marker_);
        undisturbed_ = run_traced(start_);
    }
    [[nodiscard]] const Traced& undisturbed() const { return undisturbed_; }
    [[nodiscard]] std::string expected_output() const { return "ran " + marker_ + "\n"; }

    // From the program's first own call (what comes before is the dynamic loader's) to the payload's exec.
    [[nodiscard]] std::vector<CallSite> sites() const {
        const auto& calls = undisturbed_.calls;
        const auto begin = std::ranges::find(calls, CallSite{supervisor, SYS_getuid, 0});
        return {begin, calls.begin() + static_cast<std::ptrdiff_t>(undisturbed_.calls_before_exec)};
    }

    // The same, where a row of calls that differ in nothing but an argument counts as its first and last.
    [[nodiscard]] std::vector<CallSite> turns() const {
        std::vector<CallSite> turns;
        const std::vector<CallSite> all = sites();
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto is_like = [&](std::size_t other) {
                return other < all.size() && all[other].process == all[i].process && all[other].number == all[i].number;
            };
            if (i == 0 || !is_like(i - 1) || !is_like(i + 1)) turns.push_back(all[i]);
        }
        return turns;
    }

    // What is wrong with how the run ended; empty where nothing is.
    [[nodiscard]] std::string fault_at(const CallSite& site, FaultKind kind) const {
        try {
            return wrong_with(site, kind, run_traced(start_, Fault{site, kind, fault_error}, 5s));
        } catch (const std::exception& error) {
            return format("{}: {} ({})\n", words_for(site), words_for(kind), error.what());
        }
    }

  private:
    [[nodiscard]] std::string wrong_with(const CallSite& site, FaultKind kind, const Traced& traced) const {
        const Result& result = traced.result;
        if (!traced.is_met) return {};  // the order of two processes differed
        std::string wrong;
        if (kind == FaultKind::error) {
            wrong = wrong_with_error(site, result);
        } else if (kind == FaultKind::kill_first || site.process == supervisor) {
            if (result.code != -SIGKILL) wrong = "it did not end by the signal";
            // What is on its way to the exec meets its end a moment later, and may be there before. With a sanitizer
            // that moment is long: a killed process gives its memory back before its children hear of it.
            if (!is_sanitized && !result.out.empty() && site.process < payload) wrong = "the payload ran";
        } else if (site.process == network) {
            if (result.code != 0 || result.out != expected_output()) wrong = "init did not make its network itself";
        } else if (!result.out.empty()) {
            wrong = "the payload ran";
        } else if (result.code != 128 + SIGKILL && result.code != jail_not_built) {
            wrong = "its exit code does not say that it was killed";
        }
        if (!traced.is_all_gone || !becomes_true([&] { return processes_with(marker_).empty(); }, 1s)) {
            wrong += " something is left after a second";
        }
        if (wrong.empty()) return {};
        return format("{}: {} ({}): code {}, \"{}\", \"{}\"\n", words_for(site), words_for(kind), wrong, result.code,
                      result.out, result.err);
    }

    static std::string words_for(FaultKind kind) {
        if (kind == FaultKind::error) return "fails";
        return kind == FaultKind::kill_caller ? "its caller is killed" : "the supervisor is killed";
    }
    static std::string words_for(const CallSite& site) {
        static const char* const who[] = {"the supervisor", "init", "the network's process", "the payload-to-be"};
        return format("call {}, time {}, of {}", site.number, site.count + 1, who[std::min(site.process, payload)]);
    }

    [[nodiscard]] std::string wrong_with_error(const CallSite& site, const Result& result) const {
        if (is_harmless(site) && result.code == 0 && result.out == expected_output()) return {};
        if (site.number == SYS_signalfd4 && site.process == init && result.code == 128 + SIGKILL) return {};
        if (!result.out.empty()) return "the payload ran";
        // As a shell's: the jail stood, and only the command could not be executed.
        const int code = site.number == SYS_execve ? 126 : jail_not_built;
        if (result.code != code) return format("its exit code is not {}", code);
        if (is_harmless(site)) return result.err.empty() ? "it says nothing" : "";
        // Init has not yet read where to report: it ends, and that is seen.
        const bool is_mute = site == CallSite{init, SYS_newfstatat, 0} || site == CallSite{init, SYS_mmap, 0};
        if (is_mute && !result.err.empty()) return {};
        if (result.err.find(std::strerror(fault_error)) == std::string::npos) return "it does not say why";
        // "stagebox: STEP: Input/output error" with something in between.
        return result.err.size() < std::strlen(std::strerror(fault_error)) + 20 ? "it does not say what" : "";
    }

    Start start_;
    std::string marker_;
    Traced undisturbed_;
};

const std::vector<std::string>& jail_options() {
    static const std::vector<std::string> options = {
        "--ids",   "single", "--ro-bind", probe_program(), "/probe",    "--proc", "/proc", "--dev",      "/dev",
        "--tmpfs", "/a/b",   "--dir",     "/c/d",          "--symlink", "text",   "/link", "--hostname", "name"};
    return options;
}

bool is_traceable() {
    if (can_trace()) return true;
    unavailable("tracing");
    return false;
}

}  // namespace

TEST_CASE("each system call of a jail's set-up fails once: no payload, and the error says what and why",
          "[faults][alone][threat][failclosed][sweep]") {
    if (!is_traceable()) return;
    const Sweep sweep(jail_options());
    INFO(sweep.undisturbed().result.err);
    REQUIRE(sweep.undisturbed().result.code == 0);
    REQUIRE(sweep.undisturbed().result.out == sweep.expected_output());
    const std::vector<CallSite> sites = sweep.turns();
    INFO(sites.size() << " calls");
    CHECK(sites.size() > 100);
    std::string wrong;
    for (const CallSite& site : sites) {
        if (!cannot_fail(site.number)) wrong += sweep.fault_at(site, FaultKind::error);
    }
    INFO(wrong);
    CHECK(wrong.empty());
}

TEST_CASE("whoever is killed at any call of a jail's set-up, nothing runs and nothing is left",
          "[faults][alone][threat][failclosed][sweep]") {
    if (!is_traceable()) return;
    const Sweep sweep(jail_options());
    REQUIRE(sweep.undisturbed().result.code == 0);
    std::string wrong;
    for (const CallSite& site : sweep.turns()) {
        wrong += sweep.fault_at(site, FaultKind::kill_caller);
        if (site.process != supervisor) wrong += sweep.fault_at(site, FaultKind::kill_first);
    }
    INFO(wrong);
    CHECK(wrong.empty());
}
#endif
