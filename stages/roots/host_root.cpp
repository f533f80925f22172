#include "stages/roots/host_root.hpp"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <vector>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sha256.hpp"
#include "sandbox/os/sys.hpp"

namespace stages {
namespace {

using sandbox::os::Fd;
using sandbox::os::try_sys;

std::string read_status(const std::string& path) {
    const long opened = try_sys([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    if (opened == -ENOENT || opened == -ENOTDIR) {
        throw HostRootError(
            sandbox::os::format("this host has no {}: a stage whose root is the host needs one whose "
                                "packages dpkg keeps, as Debian's "
                                "and Ubuntu's are; on others, start from an artifact that holds a root",
                                path));
    }
    if (opened < 0) throw sandbox::os::SysError(static_cast<int>(-opened), "open " + path);
    return sandbox::os::read_all(Fd(static_cast<int>(opened)).get(), path);
}

// What follows "Name: " where `line` is that field.
std::string_view field(std::string_view line, std::string_view name) {
    if (!line.starts_with(name)) return {};
    line.remove_prefix(name.size());
    return line.substr(std::min(line.find_first_not_of(' '), line.size()));
}

// The four fields of a package's paragraph that say what is installed.
struct Package {
    std::string_view name;
    std::string_view state;  // the last word of "install ok installed"; the first is a wish, such as "hold"
    std::string_view version;
    std::string_view architecture;
    bool operator<(const Package& other) const {
        return std::tie(name, architecture, version, state) <
               std::tie(other.name, other.architecture, other.version, other.state);
    }

    void take(std::string_view line) {
        // The first letter decides for nearly every line: a status file has about 30 lines a package.
        switch (line.empty() ? '\0' : line.front()) {
            case 'P':
                if (const auto value = field(line, "Package:"); !value.empty()) name = value;
                break;
            case 'S':
                if (const auto value = field(line, "Status:"); !value.empty())
                    state = value.substr(value.rfind(' ') + 1);
                break;
            case 'V':
                if (const auto value = field(line, "Version:"); !value.empty()) version = value;
                break;
            case 'A':
                if (const auto value = field(line, "Architecture:"); !value.empty()) architecture = value;
                break;
            default: break;
        }
    }
    // A package of which only configuration files are left has nothing below /usr.
    [[nodiscard]] bool is_there() const { return !name.empty() && state != "config-files" && state != "not-installed"; }
};

std::vector<Package> packages_of(std::string_view status) {
    std::vector<Package> packages;
    Package package;
    while (!status.empty()) {
        const std::size_t end = std::min(status.find('\n'), status.size());
        const std::string_view line = status.substr(0, end);
        status.remove_prefix(std::min(end + 1, status.size()));
        if (!line.empty()) package.take(line);
        if (line.empty() || status.empty()) {
            if (package.is_there()) packages.push_back(package);
            package = {};
        }
    }
    std::sort(packages.begin(), packages.end());
    return packages;
}

// "name -> target" of each link; empty where the directory is not there, as on a host without alternatives. What is
// there and cannot be read is an error: a key without it would be that of another host.
std::vector<std::string> links_in(const std::string& path) {
    std::vector<std::string> links;
    const long opened = try_sys([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (opened == -ENOENT) return links;
    if (opened < 0) throw sandbox::os::SysError(static_cast<int>(-opened), "open " + path);
    const Fd directory(static_cast<int>(opened));
    std::array<char, PATH_MAX> target{};
    for (const std::string& name : sandbox::os::list_directory(directory.get())) {
        const long size =
            try_sys([&] { return ::readlinkat(directory.get(), name.c_str(), target.data(), target.size()); });
        if (size == -EINVAL || size == -ENOENT) continue;  // README, or gone since
        if (size < 0) {
            throw sandbox::os::SysError(static_cast<int>(-size),
                                        sandbox::os::format("read the link {}/{}", path, name));
        }
        links.push_back(
            sandbox::os::format("{} -> {}", name, std::string_view(target.data(), static_cast<std::size_t>(size))));
    }
    return links;
}

constexpr std::string_view apt = "apt's own configuration, sources and public keys, for stages that fetch packages";
constexpr std::string_view linking = "finding the programs and libraries below /usr";
constexpr std::string_view trust = "public certificates, for programs that check a server's";
constexpr std::string_view naming = "names of protocols, services, file types and terminals";
constexpr std::string_view identity = "which distribution this is, and its time zone";
constexpr std::string_view tools = "defaults without which tools that make images and packages behave otherwise";
constexpr std::string_view resolving = "how the host resolves names";

// apt's files are named one by one because apt/auth.conf and apt/auth.conf.d hold passwords. What the
// administrator wrote into a world-readable sources.list or apt.conf is shown: without it nothing could be
// fetched.
constexpr std::array etc_paths = {
    HostPath{"/etc/alternatives", Presence::required, linking},
    HostPath{"/etc/ld.so.cache", Presence::required, linking},
    HostPath{"/etc/ld.so.conf", Presence::optional, linking},
    HostPath{"/etc/ld.so.conf.d", Presence::optional, linking},
    HostPath{"/etc/perl", Presence::optional, linking},
    HostPath{"/etc/python3", Presence::optional, linking},
    HostPath{"/etc/apt/apt.conf", Presence::optional, apt},
    HostPath{"/etc/apt/apt.conf.d", Presence::optional, apt},
    HostPath{"/etc/apt/keyrings", Presence::optional, apt},
    HostPath{"/etc/apt/preferences", Presence::optional, apt},
    HostPath{"/etc/apt/preferences.d", Presence::optional, apt},
    HostPath{"/etc/apt/sources.list", Presence::optional, apt},
    HostPath{"/etc/apt/sources.list.d", Presence::optional, apt},
    HostPath{"/etc/apt/trusted.gpg", Presence::optional, apt},
    HostPath{"/etc/apt/trusted.gpg.d", Presence::optional, apt},
    HostPath{"/etc/ca-certificates", Presence::optional, trust},
    HostPath{"/etc/ca-certificates.conf", Presence::optional, trust},
    HostPath{"/etc/ssl/certs", Presence::optional, trust},
    HostPath{"/etc/ssl/openssl.cnf", Presence::optional, trust},
    HostPath{"/etc/ethertypes", Presence::optional, naming},
    HostPath{"/etc/magic", Presence::optional, naming},
    HostPath{"/etc/magic.mime", Presence::optional, naming},
    HostPath{"/etc/mime.types", Presence::optional, naming},
    HostPath{"/etc/protocols", Presence::optional, naming},
    HostPath{"/etc/rpc", Presence::optional, naming},
    HostPath{"/etc/services", Presence::optional, naming},
    HostPath{"/etc/terminfo", Presence::optional, naming},
    HostPath{"/etc/debian_version", Presence::optional, identity},
    HostPath{"/etc/localtime", Presence::optional, identity},
    HostPath{"/etc/os-release", Presence::optional, identity},
    HostPath{"/etc/timezone", Presence::optional, identity},
    HostPath{"/etc/dpkg", Presence::optional, tools},
    HostPath{"/etc/mke2fs.conf", Presence::optional, tools},
    HostPath{"/etc/mtools.conf", Presence::optional, tools},
};

// resolv.conf is often a link into /run: what shows it must follow the link on the host.
constexpr std::array network_etc_paths = {
    HostPath{"/etc/gai.conf", Presence::optional, resolving},
    HostPath{"/etc/host.conf", Presence::optional, resolving},
    HostPath{"/etc/hosts", Presence::optional, resolving},
    HostPath{"/etc/resolv.conf", Presence::optional, resolving},
};

}  // namespace

std::string host_packages_digest(const HostState& state) {
    const std::string status = read_status(state.dpkg_status);
    const std::vector<Package> packages = packages_of(status);
    if (packages.empty()) {
        throw HostRootError(
            sandbox::os::format("{} lists no installed package: a stage whose root is the host needs "
                                "one whose packages dpkg keeps",
                                state.dpkg_status));
    }
    std::string text;
    for (const Package& package : packages) {
        text +=
            sandbox::os::format("{}:{} {} {}\n", package.name, package.architecture, package.version, package.state);
    }
    for (const std::string& link : links_in(state.alternatives)) text += link + '\n';
    return sandbox::os::sha256_of(text);
}

std::span<const HostPath> host_etc_paths() {
    return etc_paths;
}

std::span<const HostPath> host_network_etc_paths() {
    return network_etc_paths;
}

}  // namespace stages
