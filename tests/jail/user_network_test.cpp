// The network `user`: out, but not to the host's loopback device; nothing left behind; its own errors.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "sandbox/os/sys.hpp"
#include "tests/jail/jail.hpp"
#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;

namespace {

Words user_network(const std::string& ids) {
    return join({"--ids", ids, "--network", "user"}, bare());
}

Words in_own_mounts(const std::string& script) {
    const std::string more = script + " && exec \"$@\"";
    if (::geteuid() == 0) return {"/usr/bin/unshare", "--mount", "/bin/sh", "-c", more, "sh"};
    return {"/usr/bin/unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", more, "sh"};
}

// Where the host reaches the world from: an address of its own that is not the loopback device's.
std::string host_address() {
    const Fd socket(sys([] { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }, "make a socket"));
    sockaddr_in far = {};
    far.sin_family = AF_INET;
    far.sin_port = htons(9);
    far.sin_addr.s_addr = inet_addr("198.51.100.1");  // documentation's; connecting a datagram socket sends nothing
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&far), sizeof far) != 0) return {};
    sockaddr_in own = {};
    socklen_t size = sizeof own;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size);
    return ::inet_ntoa(own.sin_addr);
}

bool has_user_network() {
    if (::access("/usr/bin/pasta", X_OK) != 0 || ::access("/dev/net/tun", R_OK | W_OK) != 0) {
        unavailable("pasta and /dev/net/tun");
        return false;
    }
    if (host_address().empty()) {
        unavailable("a route to a network");
        return false;
    }
    return true;
}

// Listens at an address of the host.
class TcpListener {
  public:
    explicit TcpListener(const std::string& address)
        : socket_(sys([] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }, "make a socket")) {
        sockaddr_in at = {};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = inet_addr(address.c_str());
        sys([&] { return ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at); }, "bind");
        sys([&] { return ::listen(socket_.get(), 8); }, "listen");
        socklen_t size = sizeof at;
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&at), &size);
        port_ = std::to_string(ntohs(at.sin_port));
    }
    [[nodiscard]] const std::string& port() const { return port_; }

  private:
    Fd socket_;
    std::string port_;
};

std::vector<pid_t> helpers_of(pid_t stagebox) {
    std::vector<pid_t> children;
    for (const pid_t pid : processes_with("--no-map-gw")) {
        std::ifstream stat(format("/proc/{}/stat", pid));
        std::string number;
        std::string name;
        std::string state;
        pid_t parent = 0;
        stat >> number >> name >> state >> parent;
        if (parent == stagebox) children.push_back(pid);
    }
    return children;
}

// A process that has ended counts as gone, also while the init of the machine has not yet reaped it.
bool is_gone(pid_t pid) {
    std::ifstream stat(format("/proc/{}/stat", pid));
    std::string number;
    std::string name;
    std::string state;
    return !(stat >> number >> name >> state) || state == "Z";
}

}  // namespace

TEST_CASE("with the network user, the host's addresses are reached, its loopback device is not", "[user-network]") {
    if (!has_user_network()) return;
    const std::string ids = GENERATE("single", "range");
    INFO(ids);
    const Listener inner;  // 127.0.0.1 and an abstract socket
    const TcpListener outer(host_address());
    const auto connect = [&](const std::string& address, const std::string& port) {
        const Result result = run(user_network(ids), {"/probe", "connect-inet", address, port});
        INFO(result.err);
        CHECK(result.code == 0);
        return value_of(result.out, "connect");
    };
    CHECK(connect(host_address(), outer.port()) == "ok");
    CHECK(connect("127.0.0.1", inner.port()) == "ECONNREFUSED");
    CHECK(connect("::1", inner.port()) == "ECONNREFUSED");
    CHECK(connect("10.0.2.2", inner.port()) != "ok");              // the gateway is not the host
    CHECK(connect("10.0.2.100", inner.port()) == "ECONNREFUSED");  // the jail itself
    CHECK(connect("0.0.0.0", inner.port()) == "ECONNREFUSED");
    CHECK(connect(host_address(), inner.port()) != "ok");
    const Result abstract = run(user_network(ids), {"/probe", "connect-unix", inner.name()});
    CHECK(value_of(abstract.out, "connect") == "ECONNREFUSED");
}

// Past the jail's own loopback device: a socket bound to the interface that leads out.
TEST_CASE("a socket bound to the jail's interface does not reach the host's loopback device either", "[user-network]") {
    if (!has_user_network()) return;
    if (::access("/usr/bin/python3", X_OK) != 0) return unavailable("python3");
    const std::string ids = GENERATE("single", "range");
    const Listener inner;
    const TcpListener outer(host_address());
    const Fd datagrams(sys([] { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }, "socket"));
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(static_cast<std::uint16_t>(std::stoi(inner.port())));
    sys([&] { return ::bind(datagrams.get(), reinterpret_cast<sockaddr*>(&at), sizeof at); }, "bind");
    const std::string script = format(R"py(
import socket
name = [n for i, n in socket.if_nameindex() if n != 'lo'][0].encode() + b'\0'
def ask(family, kind, address, port, text):
    s = socket.socket(family, kind)
    s.settimeout(3)
    s.setsockopt(socket.SOL_SOCKET, 25, name)
    try:
        s.connect((address, port))
        s.send(b'x')
        print(text, 'sent')
    except OSError as error:
        print(text, 'refused' if error.errno in (1, 101, 111, 113) else error)
ask(socket.AF_INET, socket.SOCK_STREAM, '{0}', {1}, 'host')
for family, address in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET, '127.9.9.9'), (socket.AF_INET6, '::1'),
                        (socket.AF_INET6, '::ffff:127.0.0.1')):
    ask(family, socket.SOCK_STREAM, address, {2}, 'stream ' + address)
    ask(family, socket.SOCK_DGRAM, address, {2}, 'datagram ' + address)
)py",
                                      host_address(), outer.port(), inner.port());
    const Result result = run(join({"--ids", ids, "--network", "user"}, with_programs()), {"python3", "-c", script});
    INFO(result.err);
    CHECK(result.out ==
          "host sent\nstream 127.0.0.1 refused\ndatagram 127.0.0.1 refused\nstream 127.9.9.9 refused\n"
          "datagram 127.9.9.9 refused\nstream ::1 refused\ndatagram ::1 refused\n"
          "stream ::ffff:127.0.0.1 refused\ndatagram ::ffff:127.0.0.1 refused\n");
    char byte = 0;
    CHECK(::recv(datagrams.get(), &byte, 1, 0) == -1);
}

TEST_CASE("names are asked for where the host asks", "[user-network]") {
    if (!has_user_network()) return;
    const Result seen =
        run({"--network", "user"}, {"sh", "-c", "cat /etc/resolv.conf; grep ^hosts: /etc/nsswitch.conf"});
    INFO(seen.err);
    CHECK(seen.out == "nameserver 10.0.2.3\nhosts: files dns\n");
    if (::geteuid() != 0) return;  // port 53 is root's

    // A name server of the test's own, at an address of the host that resolv.conf names.
    const Fd server(sys([] { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }, "make a socket"));
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_port = htons(53);
    at.sin_addr.s_addr = inet_addr(host_address().c_str());
    if (::bind(server.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) {
        unavailable("port 53 of the host");
        return;
    }
    const Workspace workspace;
    workspace.write("resolv.conf", "nameserver " + host_address() + "\n");
    Process jail({.argv = join(in_own_mounts("mount --bind " + workspace.project() + "/resolv.conf /etc/resolv.conf"),
                               start_of({"--network", "user"}, {"getent", "ahostsv4", "stagebox.example"}).argv)});
    // One answer to one question: the question itself, with one record behind it.
    std::string message(512, '\0');
    sockaddr_in from = {};
    for (int i = 0; i < 4; ++i) {
        timeval limit = {i == 0 ? 15 : 1, 0};
        ::setsockopt(server.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        socklen_t size = sizeof from;
        const ssize_t got =
            ::recvfrom(server.get(), message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (got < 12) break;
        std::string answer = message.substr(0, static_cast<std::size_t>(got));
        answer[2] = '\x81';
        answer[3] = '\x80';
        answer[7] = 1;                // one answer
        answer[10] = answer[11] = 0;  // and nothing else
        const std::size_t end = answer.find('\0', 12) + 5;
        answer.resize(end);
        answer += std::string("\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x63", 16);  // 192.0.2.99
        ::sendto(server.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
    const Result resolved = jail.finish();
    INFO(resolved.err);
    CHECK(resolved.code == 0);
    CHECK(resolved.out.find("192.0.2.99") != std::string::npos);
}

TEST_CASE("pasta is gone with the jail, and with the supervisor", "[user-network]") {
    if (!has_user_network()) return;
    const std::string ids = GENERATE("single", "range");
    const std::string how = GENERATE("ended", "SIGTERM", "SIGKILL");
    INFO(ids << " " << how);
    const std::string seconds = how == "ended" ? "1" : "600";
    Process jail(start_of(user_network(ids), {"/probe", "sleep", seconds}));
    std::vector<pid_t> helpers;
    const auto has_started = [&] { return !(helpers = helpers_of(jail.pid())).empty(); };
    REQUIRE(becomes_true(has_started, std::chrono::seconds(10)));
    const pid_t pasta = helpers.front();
    if (how == "SIGTERM") jail.signal(SIGTERM);
    if (how == "SIGKILL") jail.signal(SIGKILL);
    const Result result = jail.finish();
    INFO(result.err);
    CHECK(becomes_true([&] { return is_gone(pasta); }, std::chrono::seconds(1)));
}

TEST_CASE("a payload's ports are not the host's", "[user-network]") {
    if (!has_user_network()) return;
    if (::access("/usr/bin/python3", X_OK) != 0) return unavailable("python3");
    Process jail(
        start_of(join({"--network", "user"}, with_programs()),
                 {"python3", "-c",
                  "import socket, time\ns = socket.create_server(('', 47123))\nprint('listening', flush=True)\n"
                  "time.sleep(600)\n"}));
    jail.wait_for("listening");
    for (const std::string& address : {std::string("127.0.0.1"), host_address()}) {
        CHECK(value_of(probe_outside({"connect-inet", address, "47123"}).out, "connect") == "ECONNREFUSED");
    }
}

TEST_CASE("what the network user lacks is an error of its own, and no other network", "[user-network]") {
    struct Lack {
        const char* script;
        const char* what;
        const char* remedy;
    };
    const Lack lack = GENERATE(
        Lack{"mount --bind /dev/null $(readlink -f /usr/bin/pasta)", "pasta is not in /usr/bin",
             "apt-get install passt"},
        Lack{"mount -t tmpfs none /dev/net", "open /dev/net/tun: No such file or directory", "--device /dev/net/tun"},
        // Root could open it, and pasta, which is not root outside, could not.
        Lack{"mount -t tmpfs none /dev/net && touch /dev/net/tun && chmod 600 /dev/net/tun",
             "open /dev/net/tun: Permission denied", "chmod 0666 /dev/net/tun"});
    const Result refused = tests::support::run(
        {.argv = join(in_own_mounts(lack.script),
                      start_of(join({"--network", "user"}, bare()), {"/probe", "echo", "ran"}).argv)});
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK(refused.err.find(lack.what) != std::string::npos);
    CHECK(refused.err.find(lack.remedy) != std::string::npos);
}

TEST_CASE("a host without a network says so", "[user-network]") {
    if (!has_user_network()) return;
    const Result refused = tests::support::run(
        {.argv = join({"/usr/bin/unshare", "--user", "--map-root-user", "--net"},
                      start_of(join({"--network", "user"}, bare()), {"/probe", "echo", "ran"}).argv)});
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK(refused.err.find("start the network: /usr/bin/pasta ended: ") != std::string::npos);
    CHECK(refused.err.find("has no route to a network") != std::string::npos);
}
