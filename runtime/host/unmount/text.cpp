#include <unistd.h>

#include <array>

#include "runtime/host/unmount/unmount.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::Json;

const char* name_of(StepKind kind) {
    constexpr std::array names{"unshare", "unmount", "detach"};
    return names.at(static_cast<std::size_t>(kind));
}

const char* name_of(StepState state) {
    constexpr std::array names{"planned", "done", "refused", "busy", "failed"};
    return names.at(static_cast<std::size_t>(state));
}

// What it is, or for unshare, what it would take along.
std::string type_of(const Step& step) {
    switch (step.kind) {
        case StepKind::unshare: return "from " + step.peer;
        case StepKind::unmount: return step.mount.fstype;
        case StepKind::detach: return step.loop.backing + (step.loop.deleted ? ", deleted" : "");
    }
    return {};
}

}  // namespace

std::string unmount_command(const std::string& directory, const std::string& option) {
    return format("{}stagebox session unmount {}{}{}", ::geteuid() == 0 ? "" : "sudo ", option,
                  option.empty() ? "" : " ", sandbox::os::shell_word(directory));
}

std::string subject_of(const Step& step) {
    return step.kind == StepKind::detach ? "/dev/" + step.loop.name : step.mount.target;
}

std::string to_text(const Step& step) {
    std::string text;
    if (step.state != StepState::planned) text += format("{}: ", name_of(step.state));
    text += format("{} {} ({})", name_of(step.kind), plain(subject_of(step)), plain(type_of(step)));
    if (step.state == StepState::done) return text;
    if (!step.problem.what.empty()) text += ": " + step.problem.what;
    for (const std::string& line : describe(step.holds)) text += "\n  held by " + line;
    if (step.state == StepState::busy && step.problem.what.empty() && step.holds.empty())
        text += "\n  held by nobody who can be seen from here";
    return text + sandbox::os::help_line(step.problem.remedy);
}

Json to_json(const UnmountPlan& plan) {
    Json steps = Json::array();
    for (const Step& step : plan.steps) {
        Json holders = Json::array();
        for (const Hold& hold : step.holds) {
            holders.push_back(
                {{"pid", hold.pid}, {"command", plain(hold.comm)}, {"way", hold.way}, {"path", plain(hold.path)}});
        }
        steps.push_back({{"act", name_of(step.kind)},
                         {"subject", plain(subject_of(step))},
                         {"type", plain(type_of(step))},
                         {"state", name_of(step.state)},
                         {"why", step.problem.what},
                         {"remedy", plain(step.problem.remedy)},
                         {"holders", std::move(holders)}});
    }
    return {{"directory", plain(plan.directory)}, {"steps", std::move(steps)}, {"unseen", plan.unseen}};
}

}  // namespace runtime::host
