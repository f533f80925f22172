#include "runtime/host/services/critical_seeds.hpp"

#include <unistd.h>

#include <cstdlib>
#include <set>

#include "runtime/host/services/session_marks.hpp"
#include "runtime/host/services/ssh_link.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::BusError;
using sandbox::os::BusMessage;
using sandbox::os::BusTarget;
using sandbox::os::format;
using sandbox::os::HostFiles;
using sandbox::os::Json;

class Seeds {
  public:
    Seeds(const HostFiles& host, Systemd& systemd, const std::vector<Process>& processes, pid_t caller)
        : host_(host), systemd_(systemd), processes_(processes) {
        for (const Process* at = find_process(processes, caller); at != nullptr && ancestors_.insert(at->pid).second;
             at = find_process(processes, at->parent)) {
            if (at->uid != 0) users_.insert(at->uid);
        }
        users_.insert(::geteuid());
        if (const auto login = login_uid(host)) users_.insert(*login);
    }

    // What both managers can have.
    void find_common() {
        add_owner("org.freedesktop.DBus", "is the message bus");
        for (const pid_t ancestor : ancestors_) {
            add(systemd_.unit_of(ancestor), format("holds process {}, from which this build descends", ancestor));
        }
    }

    void find_of_system() {
        add_owner("org.freedesktop.login1", "is what keeps the logins");
        add_owner("org.freedesktop.PolicyKit1", "is what says who may do what");
        add_if_loaded("display-manager.service", "is the display manager");
        for (const std::uint32_t uid : users_) {
            add_if_loaded(format("user@{}.service", uid), format("is the manager of user {}, who builds", uid));
        }
        add_logins();
        add_ssh_daemons();
        add_network();
    }

    void find_of_user() {
        const UnitFacts desktop = systemd_.get("graphical-session.target");
        if (desktop.is_up()) {
            add(desktop.name, "is the graphical session");
            for (const UnitNames& parts : {desktop.required_by, desktop.wants}) {
                for (const std::string& part : parts) {
                    if (systemd_.get(part).is_up()) add(part, "is a part of the graphical session");
                }
            }
        }
        add_slice("session.slice", "is essential to the desktop: it is in session.slice");
    }

    std::vector<CriticalUnit> take() { return std::move(found_); }

  private:
    void add(const std::string& unit, const std::string& what) {
        if (unit.empty() || !names_.insert(unit).second) return;
        found_.push_back({unit, what});
    }

    void add_owner(const char* name, const std::string& what) {
        if (const pid_t process = systemd_.owner_of(name); process != 0) {
            add(systemd_.unit_of(process), format("{} (process {}, which owns {})", what, process, name));
        }
    }

    // A display manager that is down is none that may be started, either.
    void add_if_loaded(const std::string& name, const std::string& what) {
        const UnitFacts& unit = systemd_.get(name);
        if (unit.load == "loaded") add(unit.name, what);
    }

    // ListSessions: a(susso), of which 0 is the id, 1 the user, 4 the object.
    void add_logins() {
        constexpr const char* login1 = "org.freedesktop.login1";
        try {
            sandbox::os::Bus& bus = systemd_.bus();
            const BusTarget logind{login1, "/org/freedesktop/login1", "org.freedesktop.login1.Manager"};
            const Json answer = bus.call(bus.new_call(logind, "ListSessions")).read_values();
            for (const Json& session : answer.at(0)) {
                if (!users_.contains(session.at(1).get<std::uint32_t>())) continue;
                const auto path = session.at(4).get<std::string>();
                const Json scope = bus.property({login1, path.c_str(), "org.freedesktop.login1.Session"}, "Scope");
                if (!scope.is_string()) continue;
                add(scope.get<std::string>(),
                    format("is a login of the user who builds (session {})", session.at(0).get<std::string>()));
            }
        } catch (const BusError&) {
            // No logind, no logins that it keeps.
        }
    }

    // The daemon that took this login may have been started anew since, and is no ancestor then; the next login is its.
    void add_ssh_daemons() {
        if (ssh_connection().empty() && !has_ssh_ancestor()) return;
        for (const Process& process : processes_) {
            if (process.comm != "sshd" || process.uid != 0 || process.parent != 1) continue;
            add(systemd_.unit_of(process.pid), "is the SSH server, by which this session came");
        }
    }

    [[nodiscard]] std::string ssh_connection() const {
        const char* own = std::getenv("SSH_CONNECTION");
        return own != nullptr ? own : find_ssh_connection(host_, ancestors_);
    }

    [[nodiscard]] bool has_ssh_ancestor() const {
        for (const pid_t pid : ancestors_) {
            const Process* process = find_process(processes_, pid);
            if (process != nullptr && process->comm.starts_with("sshd")) return true;
        }
        return false;
    }

    void add_network() {
        const std::optional<SshLink> link = find_ssh_link(ssh_connection());
        if (link && link->name != "lo") add_managers_of(*link);
        for (const char* name : {"org.freedesktop.NetworkManager", "org.freedesktop.network1", "net.connman",
                                 "net.connman.iwd", "fi.w1.wpa_supplicant1", "org.freedesktop.resolve1"}) {
            add_owner(name, "is what keeps the network");
        }
    }

    // Whatever says of itself that it has set the link up.
    void add_managers_of(const SshLink& link) {
        const std::string what =
            format("manages {}, by which the SSH peer of this session ({}) is reached", link.name, link.peer);
        if (is_link_of_networkd(host_, link.index)) add_if_loaded("systemd-networkd.service", what);
        if (is_link_of_ifup(host_, link.name)) {
            add_if_loaded("networking.service", what);
            add_if_loaded(format("ifup@{}.service", link.name), what);
        }
        add_network_manager(link, what);
    }

    void add_network_manager(const SshLink& link, const std::string& what) {
        constexpr const char* name = "org.freedesktop.NetworkManager";
        const pid_t process = systemd_.owner_of(name);
        if (process == 0) return;
        try {
            sandbox::os::Bus& bus = systemd_.bus();
            BusMessage call = bus.new_call({name, "/org/freedesktop/NetworkManager", name}, "GetDeviceByIpIface");
            call.add(link.name);
            const std::string device = bus.call(call).read_text();
            const Json managed =
                bus.property({name, device.c_str(), "org.freedesktop.NetworkManager.Device"}, "Managed");
            if (managed == true) add(systemd_.unit_of(process), what);
        } catch (const BusError&) {
            // It does not know the link.
        }
    }

    void add_slice(const std::string& slice, const std::string& what) {
        const UnitFacts unit = systemd_.get(slice);
        for (const std::string& member : unit.required_by) {  // each unit requires its slice
            if (systemd_.get(member).is_up()) add(member, what);
        }
    }

    const HostFiles& host_;
    Systemd& systemd_;
    const std::vector<Process>& processes_;
    std::set<pid_t> ancestors_;      // with the caller
    std::set<std::uint32_t> users_;  // whose session it may be: sudo changes the effective one only
    std::set<std::string> names_;
    std::vector<CriticalUnit> found_;
};

}  // namespace

std::vector<CriticalUnit> find_critical(const HostFiles& host, Systemd& systemd, const std::vector<Process>& processes,
                                        pid_t caller) {
    Seeds seeds(host, systemd, processes, caller);
    seeds.find_common();  // their reasons come before what else can be said of the same unit
    if (systemd.manager() == Manager::user) {
        seeds.find_of_user();
    } else {
        seeds.find_of_system();
    }
    return seeds.take();
}

}  // namespace runtime::host
