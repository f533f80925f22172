#include "runtime/jail/user_network.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "runtime/jail/default_routes.hpp"
#include "runtime/jail/namespaces.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/default_path.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::jail {

using sandbox::Point;
using sandbox::SetupError;
using sandbox::os::Child;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;
using sandbox::os::SysError;

namespace {

constexpr std::chrono::seconds timeout{10};
constexpr std::chrono::milliseconds second_family{300};  // how much later IPv6's route may come than IPv4's
constexpr const char* install = "sudo apt-get install passt";

// Only where packages put it, never by PATH.
std::string find_pasta() {
    for (const char* path : {"/usr/bin/pasta", "/bin/pasta"}) {
        if (::access(path, X_OK) == 0) return path;
    }
    return {};
}

SetupError network_error(int error, std::string what, std::string remedy) {
    return {.point = Point::network, .error = error, .problem = {std::move(what), std::move(remedy)}};
}

// No port of the jail on the host, none of the host's in the jail, and the gateway is not the host (--no-map-gw): only
// connections that the jail opens, to what the host reaches by its addresses. An address of our own, so that the host's
// are the host's also as seen from the jail.
std::vector<std::string> pasta_words(const std::string& program, pid_t holder) {
    return {program,
            "--foreground",
            "--quiet",
            "--tcp-ports=none",
            "--udp-ports=none",
            "--tcp-ns=none",
            "--udp-ns=none",
            "--no-map-gw",
            "--config-net",
            "--address=10.0.2.100",
            "--netmask=24",
            "--gateway=10.0.2.2",
            format("--dns-forward={}", sandbox::user_network_dns),
            "--no-netns-quit",
            format("--netns=/proc/{}/ns/net", holder)};
}

Child start_pasta(const std::string& program, const Namespaces& namespaces, pid_t holder, const Fd& log) {
    std::vector<std::string> words = pasta_words(program, holder);
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::string path = format("PATH={}", sandbox::os::default_path);
    char locale[] = "LC_ALL=C.UTF-8";
    char* const environment[] = {path.data(), locale, nullptr};
    const Fd null(sys([] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }, "open /dev/null"));
    const pid_t parent = ::getpid();
    int pidfd = -1;
    const long pid = sandbox::os::clone_process(0, pidfd);
    if (pid < 0) throw SysError(static_cast<int>(-pid), format("start {}", program));
    if (pid == 0) {
        become_jail_root(namespaces.user, parent);
        sigset_t unblocked;
        sigemptyset(&unblocked);
        ::sigprocmask(SIG_SETMASK, &unblocked, nullptr);
        ::signal(SIGPIPE, SIG_DFL);  // an ignored one outlives exec, and pasta takes it for a failure
        ::dup2(null.get(), 0);
        ::dup2(log.get(), 1);
        ::dup2(log.get(), 2);
        ::close_range(3, ~0U, 0);
        ::execve(program.c_str(), argv.data(), environment);
        ::_exit(127);
    }
    return Child(static_cast<pid_t>(pid), Fd(pidfd));
}

std::string text_of(const Fd& log) {
    std::array<char, 2048> text{};
    const ssize_t size = ::pread(log.get(), text.data(), text.size(), 0);
    std::string said(text.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
    std::string kept;
    // Where there is no system log, every line comes with a complaint about that.
    for (std::size_t start = 0; start < said.size();) {
        const std::size_t end = std::min(said.find('\n', start), said.size());
        const std::string line = said.substr(start, end - start);
        start = end + 1;
        if (line.empty() || line.find("to syslog") != std::string::npos) continue;
        sandbox::os::append_part(kept, "; ", line);
    }
    return kept;
}

enum class Waited : std::uint8_t { ready, ended, too_long };

Waited wait_for_routes(const Child& pasta, const Fd& routes, DefaultRoutes& seen) {
    using Clock = std::chrono::steady_clock;
    const unsigned wanted = families_with_route(sandbox::os::HostFiles());
    auto end = Clock::now() + timeout;
    while (wanted == 0 || (seen.families & wanted) != wanted) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        std::array<pollfd, 2> waiting{{{routes.get(), POLLIN, 0}, {pasta.pidfd(), POLLIN, 0}}};
        const long ready = left <= 0 ? 0
                                     : sys([&] { return ::poll(waiting.data(), 2, static_cast<int>(left)); },
                                           "wait for the jail's network");
        if (ready == 0) return seen.families != 0 ? Waited::ready : Waited::too_long;
        if (waiting[1].revents != 0) return Waited::ended;
        std::array<char, 8192> buffer{};
        const long got = sandbox::os::try_sys([&] { return ::recv(routes.get(), buffer.data(), buffer.size(), 0); });
        const unsigned before = seen.families;
        if (got > 0) note_routes({buffer.data(), static_cast<std::size_t>(got)}, seen);
        if (before == 0 && seen.families != 0) end = Clock::now() + second_family;
    }
    return Waited::ready;
}

std::string remedy_for_ended(const std::string& said) {
    // In pasta's words of different years: "No external routable interface", "External interface not usable".
    if (said.find("routable interface") != std::string::npos || said.find("xternal interface") != std::string::npos) {
        return "the host itself has no route to a network: connect it, or use the network none";
    }
    return "look at what `pasta --config-net true` says here; AppArmor or a container's filter may refuse what it "
           "needs";
}

// Started by root, pasta has the jail's ids, which own nothing on the host: that root can open the device says nothing.
bool is_closed_to_others(const Fd& device) {
    if (::geteuid() != 0) return false;
    struct stat status {};
    sys([&] { return ::fstat(device.get(), &status); }, "look at /dev/net/tun");
    constexpr mode_t everyone = S_IROTH | S_IWOTH;
    return (status.st_mode & everyone) != everyone;
}

// What is missing, found out by opening it; nothing where the network can be tried.
std::optional<SetupError> find_network_flaw() {
    if (find_pasta().empty()) {
        return network_error(ENOENT, "start the network: pasta is not in /usr/bin, and the network \"user\" needs it",
                             install);
    }
    const long tun = sandbox::os::try_sys([] { return ::open("/dev/net/tun", O_RDWR | O_CLOEXEC); });
    const Fd opened(static_cast<int>(std::max(tun, -1L)));
    const int error = tun < 0 ? static_cast<int>(-tun) : is_closed_to_others(opened) ? EACCES : 0;
    if (error == 0) return std::nullopt;
    return network_error(error, format("start the network: open /dev/net/tun: {}", std::strerror(error)),
                         error == EACCES
                             ? "sudo chmod 0666 /dev/net/tun, which is its mode where udev runs"
                             : "sudo modprobe tun; in a container: docker run or podman run --device /dev/net/tun");
}

// A process in a user and a network namespace of its own that waits for its end.
Child start_waiting(const sandbox::IdMap& ids) {
    const pid_t parent = ::getpid();
    int pidfd = -1;
    const long pid = sandbox::os::clone_process(CLONE_NEWUSER | CLONE_NEWNET, pidfd);
    if (pid < 0) throw SysError(static_cast<int>(-pid), "make a network namespace");
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (::getppid() == parent) ::pause();
        ::_exit(0);
    }
    Child child(static_cast<pid_t>(pid), Fd(pidfd));
    sandbox::apply_idmap(child.pid(), ids, nullptr);
    return child;
}

}  // namespace

std::optional<SetupError> UserNetwork::start(pid_t jail) {
    try {
        const std::string program = find_pasta();
        log_ = Fd(sys([] { return ::memfd_create("pasta", MFD_CLOEXEC); }, "make a file in memory"));
        const Namespaces namespaces = open_namespaces(jail);
        Holder holder = start_holder(namespaces);
        pasta_ = start_pasta(program, namespaces, holder.process.pid(), log_);
        DefaultRoutes routes;
        const Waited waited = wait_for_routes(pasta_, holder.routes, routes);
        if (waited == Waited::ready) {
            close_way_to_loopback(namespaces, routes.interface);
            interface_ = routes.interface;
            routes_ = std::move(holder.routes);
            return std::nullopt;
        }
        pasta_ = Child();
        const std::string said = text_of(log_);
        return network_error(waited == Waited::ended ? ECHILD : ETIMEDOUT,
                             format("start the network: {} {}: {}", program,
                                    waited == Waited::ended ? "ended" : "gave the jail no route within 10 s", said),
                             remedy_for_ended(said));
    } catch (const SysError& error) {
        pasta_ = Child();
        const bool lacks_xfrm = error.error() == EPROTONOSUPPORT || error.error() == EAFNOSUPPORT;
        return network_error(error.error(), format("start the network: {}", error.what()),
                             lacks_xfrm ? "sudo modprobe xfrm_user, or a kernel with CONFIG_XFRM_USER" : "");
    }
}

std::optional<std::string> UserNetwork::why_lost() const {
    if (!pasta_) return std::nullopt;
    pollfd ended = {pasta_.pidfd(), POLLIN, 0};
    if (::poll(&ended, 1, 0) != 1) return std::nullopt;
    return format("pasta, which carried the jail's network, has ended: {}", text_of(log_));
}

std::optional<Traffic> UserNetwork::traffic() const {
    return routes_ ? read_traffic(routes_, interface_) : std::nullopt;
}

std::variant<sandbox::Jail, SetupError> launch(const sandbox::BuildSpec& spec, const sandbox::Command& command,
                                               UserNetwork& network, const BeforeBuilding& before_building,
                                               const sandbox::WhenCloned& when_cloned, sandbox::Cgroup cgroup) {
    const sandbox::BuildPlan plan = sandbox::make_plan(spec, command);
    const bool has_network = spec.network == sandbox::Network::user;
    constexpr std::uint64_t own_packets = std::uint64_t{1} << CAP_NET_ADMIN | std::uint64_t{1} << CAP_NET_RAW;
    if (has_network && (spec.allow.capabilities & own_packets) != 0) {
        return network_error(
            EPERM,
            "start the network: with CAP_NET_ADMIN or CAP_NET_RAW the payload could send pasta packets for "
            "the host's loopback device",
            "take a profile without them, or the network none or host");
    }
    if (has_network) {
        if (auto flaw = find_network_flaw()) return *std::move(flaw);
    }
    sandbox::BeforeStart before_start;
    if (has_network || before_building) {
        before_start = [&](pid_t jail) {
            auto flaw = has_network ? network.start(jail) : std::nullopt;
            if (!flaw && before_building) before_building(plan, jail);
            return flaw;
        };
    }
    return sandbox::launch(plan, before_start, when_cloned, std::move(cgroup));
}

sandbox::Finding probe_user_network() {
    constexpr const char* name = "network user";
    const auto limited = [](const sandbox::os::Problem& problem) {
        return sandbox::Finding{name, sandbox::Status::limited, problem};
    };
    if (const auto flaw = find_network_flaw()) return limited(flaw->problem);
    try {
        const Child child = start_waiting(sandbox::resolve_idmap(sandbox::IdMode::single).map);
        UserNetwork network;
        if (const auto flaw = network.start(child.pid())) return limited(flaw->problem);
        return {name, sandbox::Status::ok, format("{} gives a network namespace a way out", find_pasta()), {}};
    } catch (const std::exception& error) {
        return limited({error.what()});
    }
}

}  // namespace runtime::jail
