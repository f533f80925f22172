// Serves a jail's listener in the event loop: gives each call that waits its answer, and keeps what was denied. The
// answer is the filter's own; knows nothing of stages, nor of what is done with the log.
//
// A payload decides how many calls it makes, and from how many processes. So a turn of the loop answers a few and
// leaves output, timers and signals their turn; and after `most_denials` nobody looks any more: the listener is closed,
// and the kernel denies the rest by itself, with ENOSYS.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "runtime/jail/denial_log.hpp"
#include "sandbox/fakeroot/listener.hpp"
#include "sandbox/launch/launch.hpp"
#include "sandbox/os/event_loop.hpp"
#include "sandbox/spec/spec.hpp"

namespace runtime::jail {

// Who answers what the filter does not decide. Either may be empty.
struct NoticeHandlers {
    using Handler = std::function<void(const sandbox::Listener&, const sandbox::Notice&)>;
    // For calls that the filter itself leaves to the supervisor (SCMP_ACT_NOTIFY). Must answer. Empty: EPERM.
    Handler emulate;
    // Sees calls that the filter allows, where it was made to ask nevertheless (observe_calls). They go on afterwards.
    Handler observe;
};

class DenialWatch {
  public:
    static constexpr int notices_per_turn = 64;
    static constexpr std::uint64_t most_denials = 100'000;

    // `listener`: of the jail; nothing where none could be had. `filter`: the one of the spec, as it was before it was
    // made to report. `profile`: its name, for the remedy.
    DenialWatch(sandbox::os::EventLoop& loop, std::optional<sandbox::Listener> listener, sandbox::FilterProgram filter,
                std::string profile, NoticeHandlers handlers = {});
    ~DenialWatch();
    DenialWatch(const DenialWatch&) = delete;
    DenialWatch& operator=(const DenialWatch&) = delete;

    [[nodiscard]] const DenialLog& log() const noexcept { return log_; }

  private:
    using Clock = std::chrono::system_clock;

    void serve();
    void answer(const sandbox::Notice& notice);
    void deny(const sandbox::Notice& notice, int error);
    [[nodiscard]] DenialExample example_of(const sandbox::Notice& notice, const std::string& call) const;
    [[nodiscard]] std::string allowing_line(const sandbox::Notice& notice, const std::string& call) const;
    const std::string& name_of(const sandbox::Notice& notice);
    [[nodiscard]] bool looks_away() const noexcept { return log_.total() >= most_denials; }
    void close();

    sandbox::os::EventLoop& loop_;
    std::optional<sandbox::Listener> listener_;
    sandbox::FilterProgram filter_;
    std::string profile_;
    NoticeHandlers handlers_;
    // See may_read_memory().
    bool reads_memory_;
    std::map<std::pair<std::uint32_t, int>, std::string> names_;
    DenialLog log_;
};

// A watch over a jail that was launched with this spec; nothing where none of its calls ask.
std::unique_ptr<DenialWatch> watch_denials(sandbox::os::EventLoop& loop, sandbox::Jail& jail,
                                           const sandbox::BuildSpec& spec, NoticeHandlers handlers = {});

}  // namespace runtime::jail
