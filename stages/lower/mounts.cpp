#include "stages/lower/mounts.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "stages/roots/host_root.hpp"

namespace stages::kinds {

namespace {

constexpr std::uint32_t sticky = 01777;

// What the host has here says who its users are; a jail has these.
constexpr const char* passwd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
constexpr const char* group = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n";
constexpr const char* hosts = "127.0.0.1 localhost\n::1 localhost\n";
constexpr const char* nsswitch = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n";

// The file or directory behind a path, every link followed; empty where there is none.
std::string real_path(const std::string& path) {
    char* real = ::realpath(path.c_str(), nullptr);
    std::string text = real == nullptr ? "" : real;
    ::free(real);
    return text;
}

std::string link_text(const std::string& path) {
    std::string text(4096, '\0');
    const ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
    return size < 0 ? "" : text.substr(0, static_cast<std::size_t>(size));
}

// A link of the host that leads into /usr stays one; any other is replaced by what it leads to.
void add_host_path(const std::string& path, std::vector<sandbox::Mount>& mounts) {
    const std::string real = real_path(path);
    if (real.empty()) return;
    const std::string link = link_text(path);
    if (!link.empty() && real.starts_with("/usr/")) {
        mounts.emplace_back(sandbox::Symlink{path, link});
    } else {
        mounts.emplace_back(sandbox::Bind{real, path, sandbox::Access::read_only});
    }
}

}  // namespace

void add_host_root(sandbox::Network network, std::vector<sandbox::Mount>& mounts) {
    mounts.emplace_back(sandbox::Tmpfs{"/", 0755, 0});
    mounts.emplace_back(sandbox::Bind{"/usr", "/usr", sandbox::Access::read_only});
    // Links where /usr is merged, as on every current Debian; directories of their own where it is not.
    for (const char* name : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) add_host_path(name, mounts);
    const std::pair<const char*, std::uint32_t> directories[] = {
        {"/root", 0700}, {"/var/tmp", sticky}, {"/var/cache", 0755}, {"/var/lib", 0755}, {"/var/log", 0755}};
    for (const auto& [path, mode] : directories) mounts.emplace_back(sandbox::Directory{path, mode});
    for (const HostPath& path : host_etc_paths()) add_host_path(std::string(path.path), mounts);
    mounts.emplace_back(sandbox::File{"/etc/passwd", passwd, 0644});
    mounts.emplace_back(sandbox::File{"/etc/group", group, 0644});
    // With the host's network its own file is shown, see add_network_files().
    if (network != sandbox::Network::host) mounts.emplace_back(sandbox::File{"/etc/hosts", hosts, 0644});
    mounts.emplace_back(sandbox::File{"/etc/nsswitch.conf", nsswitch, 0644});
}

void add_system_mounts(sandbox::Network network, std::vector<sandbox::Mount>& mounts) {
    mounts.emplace_back(sandbox::Proc{"/proc"});
    // The kernel gives sysfs only to who owns the network namespace that it shows.
    if (network != sandbox::Network::host) mounts.emplace_back(sandbox::Sysfs{"/sys"});
    mounts.emplace_back(sandbox::Dev{"/dev"});
    mounts.emplace_back(sandbox::Tmpfs{"/run", 0755, 0});
    mounts.emplace_back(sandbox::Tmpfs{"/tmp", sticky, 0});
}

void add_network_files(sandbox::Network network, std::vector<sandbox::Mount>& mounts) {
    if (network == sandbox::Network::user) {
        mounts.emplace_back(
            sandbox::File{"/etc/resolv.conf", std::string("nameserver ") + sandbox::user_network_dns + "\n", 0644});
    }
    if (network != sandbox::Network::host) return;
    for (const HostPath& path : host_network_etc_paths()) {
        const std::string real = real_path(std::string(path.path));
        if (!real.empty()) {
            mounts.emplace_back(sandbox::Bind{real, std::string(path.path), sandbox::Access::read_only});
        }
    }
}

}  // namespace stages::kinds
