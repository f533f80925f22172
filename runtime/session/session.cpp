#include "runtime/session/session.hpp"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

#include "sandbox/os/format.hpp"

namespace runtime::session {
namespace {

using sandbox::os::format;

// The first of `names` that is set and not empty.
std::string first_set(const SessionFacts& facts, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        const char* value = facts.variable(name);
        if (value != nullptr && *value != '\0') return name;
    }
    return {};
}

bool has_value(const SessionFacts& facts, const char* name, std::string_view wanted) {
    const char* value = facts.variable(name);
    return value != nullptr && value == wanted;
}

// sudo(8) removes SSH_* from the environment; the daemon among the ancestors stays.
bool is_ssh_daemon(std::string_view name) {
    return name == "sshd" || name.starts_with("sshd-");
}

// Major 4, minor 1 to 63: a virtual console; from 64 on a serial line (console too, on a headless machine).
bool is_console(int terminal) {
    return terminal != 0 && gnu_dev_major(static_cast<dev_t>(terminal)) == 4;
}

const char* word_for(SessionKind kind) {
    constexpr std::array words{"ssh", "x11", "wayland", "console", "ci", "container", "none"};
    return words.at(static_cast<std::size_t>(kind));
}

}  // namespace

SessionFacts read_session_facts(const std::vector<Process>& processes) {
    SessionFacts facts;
    facts.variable = [](const char* name) -> const char* { return std::getenv(name); };
    const Process* at = find_process(processes, ::getpid());
    if (at != nullptr) facts.terminal = at->terminal;
    while (at != nullptr && facts.ancestors.size() < processes.size()) {
        at = find_process(processes, at->parent);
        if (at != nullptr) facts.ancestors.push_back(at->comm);
    }
    for (const char* mark : {"/run/.containerenv", "/.dockerenv", "/run/systemd/container"}) {
        if (facts.container_mark.empty() && ::access(mark, F_OK) == 0) facts.container_mark = mark;
    }
    return facts;
}

Session classify(const SessionFacts& facts) {
    if (const auto name = first_set(facts, {"CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL"}); !name.empty()) {
        return {SessionKind::ci, name + " is set"};
    }
    if (const auto name = first_set(facts, {"SSH_CONNECTION", "SSH_TTY"}); !name.empty()) {
        return {SessionKind::ssh, name + " is set"};
    }
    if (std::any_of(facts.ancestors.begin(), facts.ancestors.end(), is_ssh_daemon)) {
        return {SessionKind::ssh, "sshd is an ancestor"};
    }
    if (!first_set(facts, {"WAYLAND_DISPLAY"}).empty()) return {SessionKind::wayland, "WAYLAND_DISPLAY is set"};
    if (has_value(facts, "XDG_SESSION_TYPE", "wayland")) return {SessionKind::wayland, "XDG_SESSION_TYPE is wayland"};
    if (!first_set(facts, {"DISPLAY"}).empty()) return {SessionKind::x11, "DISPLAY is set"};
    if (has_value(facts, "XDG_SESSION_TYPE", "x11")) return {SessionKind::x11, "XDG_SESSION_TYPE is x11"};
    if (is_console(facts.terminal)) return {SessionKind::console, "the controlling terminal is a console"};
    if (!facts.container_mark.empty()) return {SessionKind::container, facts.container_mark + " exists"};
    if (!first_set(facts, {"container"}).empty()) return {SessionKind::container, "the variable container is set"};
    return {SessionKind::none, "neither terminal, display nor ssh tells"};
}

std::string describe(const Session& session) {
    return format("session: {} ({})", word_for(session.kind), session.why);
}

}  // namespace runtime::session
