#include "tests/support/sshd.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "tests/support/host.hpp"

namespace tests::support {

using sandbox::os::format;

namespace {

constexpr const char* server_program = "/usr/sbin/sshd";
constexpr const char* client_program = "/usr/bin/ssh";
constexpr const char* keygen_program = "/usr/bin/ssh-keygen";

std::string user_name() {
    const passwd* user = ::getpwuid(::getuid());
    return user == nullptr ? "root" : user->pw_name;
}

}  // namespace

bool Sshd::is_installed() {
    for (const char* program : {server_program, client_program, keygen_program}) {
        if (::access(program, X_OK) != 0) return false;
    }
    return true;
}

Sshd::Terminal Sshd::best_terminal() {
    if (::geteuid() == 0) return Terminal::allocated;
    const sandbox::os::Fd outer(
        sandbox::os::sys([] { return ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); }, "open a pseudoterminal"));
    const char* const name = ::ptsname(outer.get());
    const group* const tty = ::getgrnam("tty");
    struct stat status = {};
    const bool is_known = name != nullptr && tty != nullptr && ::stat(name, &status) == 0;
    return is_known && status.st_gid == tty->gr_gid ? Terminal::allocated : Terminal::none;
}

Sshd::Sshd(std::string directory) : directory_(std::move(directory)) {
    std::filesystem::create_directories(directory_);
    make_keys();
    // Root's server wants a directory to lock its unprivileged half in; Debian's service makes it when it starts.
    if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);
    // Between the choice and the server's bind the port may be taken by another.
    for (int attempt = 0; attempt < 5 && !server_; ++attempt) start();
    if (!server_) throw std::runtime_error("sshd does not start");
}

void Sshd::make_keys() const {
    for (const char* name : {"host", "client"}) {
        const Result made =
            run({.argv = {keygen_program, "-q", "-t", "ed25519", "-N", "", "-f", format("{}/{}", directory_, name)}});
        if (made.code != 0) throw std::runtime_error("ssh-keygen: " + made.err);
    }
    std::filesystem::copy_file(directory_ + "/client.pub", directory_ + "/authorized");
}

void Sshd::start() {
    port_ = Listener().port();
    std::ofstream(directory_ + "/config") << format(
        "ListenAddress 127.0.0.1\nPort {}\nHostKey {}/host\nAuthorizedKeysFile {}/authorized\nPidFile none\nUsePAM no\n"
        "StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nPrintMotd "
        "no\n"
        "LogLevel VERBOSE\n",
        port_, directory_, directory_);
    server_.emplace(Start{.argv = {server_program, "-D", "-e", "-f", directory_ + "/config"}});
    try {
        server_->wait_for("Server listening on 127.0.0.1 port " + port_);
    } catch (const std::runtime_error&) {
        server_.reset();
    }
}

Start Sshd::client(const std::string& command, Terminal terminal) const {
    return {.argv = {client_program,
                     terminal == Terminal::allocated ? "-tt" : "-T",
                     "-F",
                     "none",
                     "-p",
                     port_,
                     "-i",
                     directory_ + "/client",
                     "-o",
                     "BatchMode=yes",
                     "-o",
                     "IdentitiesOnly=yes",
                     "-o",
                     "StrictHostKeyChecking=no",
                     "-o",
                     format("UserKnownHostsFile={}/known", directory_),
                     "-o",
                     "LogLevel=ERROR",
                     user_name() + "@127.0.0.1",
                     command}};
}

}  // namespace tests::support
