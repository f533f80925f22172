#include "runtime/host/check/session.hpp"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

#include "sandbox/os/bus.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
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

// Nothing where logind knows the session, and not of which kind: a cron job, a background session.
std::optional<Session> classify_login(const Login& login) {
    const auto because = [&](const std::string& what) { return format("logind's session {} {}", login.id, what); };
    if (login.is_remote || is_ssh_daemon(login.service)) {
        return Session{SessionKind::ssh, because(format("is remote, by {}", login.service))};
    }
    if (login.type == "wayland") return Session{SessionKind::wayland, because("is of type wayland")};
    if (login.type == "x11") return Session{SessionKind::x11, because("is of type x11")};
    if (login.type == "tty") return Session{SessionKind::console, because(format("is a terminal of {}", login.seat))};
    return std::nullopt;
}

}  // namespace

const char* name_of(SessionKind kind) {
    constexpr std::array words{"ssh", "x11", "wayland", "console", "ci", "container", "none"};
    return words.at(static_cast<std::size_t>(kind));
}

std::optional<Login> find_login() {
    using sandbox::os::Bus;
    using sandbox::os::BusMessage;
    using sandbox::os::Json;
    constexpr const char* service = "org.freedesktop.login1";
    try {
        Bus bus(sandbox::os::BusKind::system, std::chrono::seconds(1));
        BusMessage question =
            bus.new_call({service, "/org/freedesktop/login1", "org.freedesktop.login1.Manager"}, "GetSessionByPID");
        question.add_number(static_cast<std::uint32_t>(::getpid()));
        const std::string path = bus.call(question).read_text();
        const Json facts = bus.properties({service, path.c_str(), "org.freedesktop.login1.Session"});
        return Login{facts.at("Id").get<std::string>(), facts.at("Type").get<std::string>(),
                     facts.at("Seat").at(0).get<std::string>(), facts.at("Service").get<std::string>(),
                     facts.at("Remote").get<bool>()};
    } catch (const sandbox::os::BusError&) {
        return std::nullopt;
    } catch (const Json::exception&) {
        return std::nullopt;  // a logind of another kind
    }
}

SessionFacts read_session_facts(const sandbox::os::HostFiles& host, const std::vector<Process>& processes) {
    SessionFacts facts;
    facts.variable = [](const char* name) -> const char* { return std::getenv(name); };
    const Process* at = find_process(processes, ::getpid());
    if (at != nullptr) facts.terminal = at->terminal;
    while (at != nullptr && facts.ancestors.size() < processes.size()) {
        at = find_process(processes, at->parent);
        if (at != nullptr) facts.ancestors.push_back(at->comm);
    }
    for (const char* mark : {"/run/.containerenv", "/.dockerenv", "/run/systemd/container"}) {
        if (facts.container_mark.empty() &&
            ::faccessat(host.root(), sandbox::os::below_root(mark).c_str(), F_OK, 0) == 0)
            facts.container_mark = mark;
    }
    facts.login = find_login();
    return facts;
}

Session classify(const SessionFacts& facts) {
    if (facts.login) {
        if (auto session = classify_login(*facts.login)) return *session;
    }
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
    return format("session: {} ({})", name_of(session.kind), session.why);
}

}  // namespace runtime::host
