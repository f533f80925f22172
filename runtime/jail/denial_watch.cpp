#include "runtime/jail/denial_watch.hpp"

#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "runtime/jail/denial_words.hpp"
#include "sandbox/filter/compile.hpp"
#include "sandbox/filter/denials.hpp"
#include "sandbox/filter/eval.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/profile/permissions.hpp"

namespace runtime::jail {

using sandbox::Listener;
using sandbox::Notice;
using sandbox::os::format;

namespace {

// No filter allows everything.
sandbox::FilterAnswer answer_of(const sandbox::FilterProgram& filter, const seccomp_data& call) {
    return filter.instructions.empty() ? sandbox::answer_allowed : sandbox::evaluate(filter, call);
}

// Whoever can mount (FUSE) or handle page faults can make memory that takes as long to read as it likes: a payload that
// may do so is not read from.
bool may_read_memory(const sandbox::FilterProgram& filter) {
    constexpr int makes_slow_memory[] = {SYS_mount, SYS_fsmount, SYS_userfaultfd};
    for (const int number : makes_slow_memory) {
        if (answer_of(filter, sandbox::native_call(number)).permits()) return false;
    }
    return true;
}

std::string cut(std::string text) {
    constexpr std::size_t longest = 200;
    if (text.size() > longest) text.resize(longest);
    return text;
}

}  // namespace

DenialWatch::DenialWatch(sandbox::os::EventLoop& loop, std::optional<sandbox::Listener> listener,
                         sandbox::FilterProgram filter, std::string profile, NoticeHandlers handlers)
    : loop_(loop),
      listener_(std::move(listener)),
      filter_(std::move(filter)),
      profile_(std::move(profile)),
      handlers_(std::move(handlers)),
      reads_memory_(may_read_memory(filter_)) {
    if (!listener_) {
        log_.note("not reported: a system call filter around Stagebox has a listener, and the kernel allows only one");
        return;
    }
    loop_.watch(listener_->fd(), [this] { serve(); });
}

DenialWatch::~DenialWatch() {
    close();
}

void DenialWatch::close() {
    if (!listener_) return;
    loop_.forget(listener_->fd());
    listener_.reset();
}

void DenialWatch::serve() {
    for (int i = 0; i < notices_per_turn; ++i) {
        const std::optional<Notice> notice = listener_->next();
        if (!notice) break;
        answer(*notice);
    }
    // Calls that are emulated go on being so.
    const bool is_only_for_denials = !handlers_.emulate && !handlers_.observe;
    if (listener_->is_over() || (looks_away() && is_only_for_denials)) close();
}

void DenialWatch::answer(const Notice& notice) {
    const sandbox::FilterAnswer answer = answer_of(filter_, notice.call);
    if (answer.permits()) {
        if (handlers_.observe) handlers_.observe(*listener_, notice);
        // The filter looked at nothing but what the kernel has already copied (seccomp_data).
        listener_->go_on(notice);
    } else if (answer.error()) {
        deny(notice, *answer.error());
    } else if (handlers_.emulate) {
        handlers_.emulate(*listener_, notice);
    } else {
        deny(notice, EPERM);
    }
}

const std::string& DenialWatch::name_of(const Notice& notice) {
    const std::pair key(notice.call.arch, notice.call.nr);
    const auto found = names_.find(key);
    if (found != names_.end()) return found->second;
    // A payload can ask for any number.
    if (names_.size() >= 4 * DenialLog::most_kinds) names_.clear();
    return names_[key] = sandbox::call_name(notice.call.arch, notice.call.nr);
}

// Everything is read while the one who calls still waits.
void DenialWatch::deny(const Notice& notice, int error) {
    if (!looks_away()) {
        const std::string& call = name_of(notice);
        const DenialKind kind = {.call = call,
                                 .error = error,
                                 .telling = telling_argument(call, notice.call),
                                 .process = listener_->process_name(notice).value_or("?")};
        const auto now = Clock::now();
        if (log_.count(kind, now)) log_.add(kind, example_of(notice, call), now);
        if (looks_away()) log_.note(format("only the first {} were looked at", most_denials));
    }
    listener_->answer_error(notice, error);
}

DenialExample DenialWatch::example_of(const Notice& notice, const std::string& call) const {
    const TextAt text_at = [&](std::uint64_t address) {
        return reads_memory_ ? listener_->read_path(notice, address) : std::nullopt;
    };
    DenialExample example;
    example.text = show_call(call, notice.call, text_at);
    example.allow = allowing_line(notice, call);
    if (auto process = listener_->process(notice)) {
        example.pid = process->pid;
        example.executable = cut(std::move(process->executable));
        example.working_directory = cut(std::move(process->working_directory));
    }
    return example;
}

// Only a call that is denied whatever its arguments are has a line of its own.
std::string DenialWatch::allowing_line(const Notice& notice, const std::string& call) const {
    const std::string name = call.substr(0, call.find(' '));
    if (name == "system") return {};
    seccomp_data plain = notice.call;
    std::ranges::fill(plain.args, 0);
    if (answer_of(filter_, plain).permits()) return {};
    if (const auto word = sandbox::permission_of_call(name)) {
        return format("allow-add = [\"{}\"] in a profile that extends \"{}\"", sandbox::word_of(*word), profile_);
    }
    return format("seccomp-allow = [\"{}\"] in a profile that extends \"{}\"", name, profile_);
}

std::unique_ptr<DenialWatch> watch_denials(sandbox::os::EventLoop& loop, sandbox::Jail& jail,
                                           const sandbox::BuildSpec& spec, NoticeHandlers handlers) {
    const sandbox::FilterProgram& filter = spec.allow.filter;
    const bool has_denials = sandbox::asks_supervisor(sandbox::report_denials(filter));
    const bool is_served = spec.denials == sandbox::Denials::observed ||
                           (spec.denials == sandbox::Denials::reported && has_denials) ||
                           sandbox::asks_supervisor(filter);
    if (!is_served) return nullptr;
    std::optional<sandbox::Listener> listener;
    if (sandbox::os::Fd fd = jail.take_listener()) listener.emplace(std::move(fd), jail.take_passed_on());
    return std::make_unique<DenialWatch>(loop, std::move(listener), filter, spec.profile, std::move(handlers));
}

}  // namespace runtime::jail
