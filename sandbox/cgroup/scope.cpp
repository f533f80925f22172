#include "sandbox/cgroup/scope.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "sandbox/cgroup/place.hpp"
#include "sandbox/cgroup/systemd_job.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox {
namespace {

using os::BusError;
using os::BusMessage;
using os::format;

constexpr os::BusTarget manager = {"org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                   "org.freedesktop.systemd1.Manager"};
constexpr std::chrono::seconds timeout{10};

// Holds no descriptor of ours, waits for its end, and ends with us.
os::Child start_holder() {
    const pid_t parent = ::getpid();
    int pidfd = -1;
    const long pid = os::clone_process(0, pidfd);
    if (pid < 0) throw os::SysError(static_cast<int>(-pid), "start a process to hold the cgroup");
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::prctl(PR_SET_NAME, "stagebox-scope");
        ::close_range(0, ~0U, 0);
        sigset_t all;
        sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, nullptr);  // Ctrl-C reaches every process of a terminal's group
        while (::getppid() == parent) ::pause();
        ::_exit(0);
    }
    return {static_cast<pid_t>(pid), os::Fd(pidfd)};
}

std::string new_unit_name() {
    std::uint32_t number = 0;
    os::sys([&] { return ::getrandom(&number, sizeof number, 0); }, "get a random number");
    return format("stagebox-{}-{:08x}.scope", ::getpid(), number);
}

void add_text(BusMessage& message, const char* name, const std::string& value) {
    message.open('r', "sv").add(name).open('v', "s").add(value).close().close();
}

}  // namespace

bool is_unit_delegated(os::BusKind kind) {
    try {
        os::Bus bus(kind);
        BusMessage which = bus.new_call(manager, "GetUnitByPID");
        which.add_number(static_cast<std::uint32_t>(::getpid()));
        const std::string unit = bus.call(which).read_text();
        // In the names of D-Bus objects, a dot is "_2e".
        const bool is_scope = unit.ends_with("_2escope");
        const char* const interface = is_scope ? "org.freedesktop.systemd1.Scope" : "org.freedesktop.systemd1.Service";
        return bus.property({manager.destination, unit.c_str(), interface}, "Delegate") == true;
    } catch (const BusError&) {
        return false;
    }
}

SystemdScope::SystemdScope(os::BusKind kind, const os::HostFiles& host)
    : bus_(kind), holder_(start_holder()), unit_(new_unit_name()) {
    bus_.listen(manager.interface, "JobRemoved");
    bus_.call(bus_.new_call(manager, "Subscribe"));
    try {
        ask("continue");
    } catch (const BusError& error) {
        // Before systemd 253 scopes have no such property, and go on all the same.
        if (std::string_view(error.what()).find("OOMPolicy") == std::string_view::npos) throw;
        ask(nullptr);
    }
    place_ = cgroup_of(host, holder_.pid());
    if (!place_.ends_with(unit_)) throw BusError(format("systemd started {}, but our process is in {}", unit_, place_));
}

void SystemdScope::ask(const char* oom_policy) {
    BusMessage call = bus_.new_call(manager, "StartTransientUnit");
    call.add(unit_).add("fail").open('a', "(sv)");
    add_text(call, "Description", format("Jails of stagebox, process {}", ::getpid()));
    add_text(call, "CollectMode", "inactive-or-failed");
    call.open('r', "sv").add("Delegate").open('v', "b").add_truth(1).close().close();
    // As in a login session: what limits there are, are the jails' own.
    call.open('r', "sv").add("TasksMax").open('v', "t").add_big(UINT64_MAX).close().close();
    // A jail that is killed for want of memory must not take its siblings with it.
    if (oom_policy != nullptr) add_text(call, "OOMPolicy", oom_policy);
    call.open('r', "sv").add("PIDs").open('v', "au").open('a', "u");
    call.add_number(static_cast<std::uint32_t>(holder_.pid())).close().close().close();
    call.close().open('a', "(sa(sv))").close();
    wait_for(bus_.call(call).read_text());
}

void SystemdScope::wait_for(const std::string& job) {
    const auto result = result_of_job(bus_, job, timeout);
    if (!result) throw BusError(format("systemd did not start {} within {} s", unit_, timeout.count()));
    if (*result != "done") throw BusError(format("systemd could not start {}: {}", unit_, *result));
}

void SystemdScope::attach(const std::string& below, pid_t process) {
    BusMessage call = bus_.new_call(manager, "AttachProcessesToUnit");
    call.add(unit_).add("/" + below).open('a', "u").add_number(static_cast<std::uint32_t>(process)).close();
    bus_.call(call);
}

}  // namespace sandbox
